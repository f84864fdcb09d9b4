// Where we are stands behind the #, which a browser sends to no server: addresses of people stand in it.
//
//   #/address/ann@example.com?stream=news   page, name, filters
import { useEffect, useState } from "./view.js";

function parseRoute(hash) {
  const text = hash.replace(/^#\/?/, "");
  const cut = text.indexOf("?");
  const path = cut < 0 ? text : text.slice(0, cut);
  const slash = path.indexOf("/");
  const page = slash < 0 ? path : path.slice(0, slash);
  return {
    page: page || "address",
    name: slash < 0 ? "" : decode(path.slice(slash + 1)),
    query: Object.fromEntries(new URLSearchParams(cut < 0 ? "" : text.slice(cut + 1))),
  };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // somebody wrote a % by hand
  }
}

export function linkTo(page, name = "", query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const asked = new URLSearchParams(kept).toString();
  // A browser shows these signs as they are, and a person can read and write them.
  const path = encodeURIComponent(name).replace(/%40/g, "@").replace(/%3A/g, ":");
  return `#/${page}${name ? `/${path}` : ""}${asked ? `?${asked}` : ""}`;
}

export function goTo(page, name, query) {
  location.hash = linkTo(page, name, query);
}

// To go somewhere without a step of the browser's history: what was there is not to be come back to.
export function replaceRoute(page, name, query) {
  history.replaceState(null, "", linkTo(page, name, query));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function replaceQuery(route, changes) {
  replaceRoute(route.page, route.name, { ...route.query, ...changes });
}

export function useRoute() {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const follow = () => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}

// What somebody typed into the look-up box, and which page answers it.
const SOURCES = /^(ses|rfc5322|[a-z][a-z0-9_]*):/i;
export function understandLookup(typed) {
  const text = typed.trim();
  if (!text) return null;
  const several = text.split(/[\n;]+|,(?!\s*[^@]*>)/).map((each) => each.trim()).filter(Boolean);
  if (several.length > 1 && several.every((each) => each.includes("@") || /^\+?[\d ()-]{6,}$/.test(each))) {
    return { page: "lists", name: "check", entries: several };
  }
  const [one, two, ...more] = text.split(/\s+/);
  if (two && !more.length && /^[a-z][a-z0-9_]*:/i.test(one) && two.includes("@")) return { page: "message", name: one, query: { to: two } };
  if (/^(email|sms|push|mailto):/i.test(text) || /^(\+|00)[\d ()./-]{6,}$/.test(text)) return { page: "address", name: text };
  if (/^<[^<>\s]+@[^<>\s]+>$/.test(text)) return { page: "message", name: `rfc5322:${text}` };
  if (text.includes("@") && !SOURCES.test(text)) return { page: "address", name: text };
  return { page: "message", name: text };
}
