// The console: the head with the look-up box, the keys, and the page that the address names.
import { announce, Busy, Lazy, LiveRegion, StalePage } from "./parts.js";
import { useWho } from "./rights.js";
import { goTo, linkTo, understandLookup, useRoute } from "./router.js";
import { SETTINGS } from "./api.js";
import { say } from "./texts.js";
import { nameZone, showInUtc, useZone } from "./time.js";
import { html, render, useEffect, useRef, useState } from "./view.js";

const isSigned = "client-id" in SETTINGS;
// In the order in which they are needed; the letter goes there after a g.
const PAGES = {
  address: { key: "a", load: () => import("./pages/address.js").then((each) => each.AddressPage) },
  message: { key: "m", load: () => import("./pages/message.js").then((each) => each.MessagePage) },
  problems: { key: "w", load: () => import("./pages/problems.js").then((each) => each.ProblemsPage) },
  numbers: { key: "n", load: () => import("./pages/numbers.js").then((each) => each.NumbersPage) },
  review: { key: "r", load: () => import("./pages/review.js").then((each) => each.ReviewPage) },
  lists: { key: "l", load: () => import("./pages/lists.js").then((each) => each.ListsPage) },
  operations: { key: "o", load: () => import("./pages/operations.js").then((each) => each.OperationsPage) },
};
export const KEYS_OFF = "aftersend-keys";

function App() {
  const route = useRoute();
  const zone = useZone(); // whatever shows a time is drawn again
  const [help, setHelp] = useState(false);
  useEffect(() => {
    // After the first answer, which needs none of it.
    setTimeout(() => import("./configuration.js").then((each) => each.askConfiguration()), 500);
  }, []);
  useKeys({ showHelp: () => setHelp(true) });
  useEffect(() => {
    document.title = `${say(route.page in PAGES ? `page.${route.page}` : "page.unknown")} – ${say("brand")}`;
  }, [route.page]);
  return html`
    <a class="skip" href="#answer" onClick=${skip}>${say("skip")}</a>
    <${Head} route=${route} showHelp=${() => setHelp(true)} />
    <main id="answer" tabindex="-1" key=${zone ? "utc" : "here"}>
      <${LookUp} route=${route} />
      <${Page} route=${route} />
    </main>
    <${LiveRegion} />
    ${help && html`<${Lazy} name="KeyHelp" from=${() => import("./keys.js")} pages=${PAGES} onClose=${() => setHelp(false)} />`}`;
}

function skip(event) {
  event.preventDefault(); // the address behind the # is a page's
  document.getElementById("answer").focus();
}

// ---- Head --------------------------------------------------------------------------------------------------------

function Head({ route, showHelp }) {
  const [isOpen, setOpen] = useState(false);
  const utc = useZone();
  useEffect(() => setOpen(false), [route]);
  const switchZone = () => turnZone(!utc);
  return html`
    <header>
      <div class="bar">
        <a class="brand" href="#/address">${say("brand")}</a>
        <button type="button" class="menu quiet" aria-expanded=${isOpen} aria-controls="pages" onClick=${() => setOpen(!isOpen)}>${say("menu")}</button>
        <nav id="pages" aria-label=${say("nav")} class=${isOpen ? "open" : ""}>
          <ul>${Object.keys(PAGES).map((page) => html`
            <li key=${page}><a href=${linkTo(page)} aria-current=${route.page === page ? "page" : undefined}>${say(`page.${page}`)}</a></li>`)}
          </ul>
        </nav>
      </div>
      <div class="bar-aside">
        <${Who} />
        <button type="button" class="quiet" aria-pressed=${utc} onClick=${switchZone}>${say("zone.button", { zone: nameZone() })}</button>
        ${isSigned && html`<button type="button" class="quiet" onClick=${() => import("./sign_in.js").then((each) => each.signOut())}>${say("signin.out")}</button>`}
        <button type="button" class="quiet keys-button" onClick=${showHelp}>${say("keys.button")}</button>
      </div>
    </header>`;
}

function Who() {
  const who = useWho();
  if (!who) return null;
  const said = [who.region, who.stack, who.name].filter(Boolean).join(" · ");
  return html`<span class="who" title=${who.identity}>${said}</span>`;
}

function turnZone(utc) {
  showInUtc(utc);
  announce(say("zone.switched", { zone: nameZone() }));
}

function LookUp({ route }) {
  const box = useRef(null);
  const named = route.page === "address" || route.page === "message" ? route.name : "";
  useEffect(() => { box.current.value = named; }, [named]);
  // Whoever comes to ask begins to type; whoever comes to a list moves in it by keys.
  useEffect(() => { if (!route.name && (route.page === "address" || route.page === "message")) box.current.focus(); }, [route.page]);
  const submit = (event) => {
    event.preventDefault();
    const wanted = understandLookup(box.current.value);
    if (!wanted) return announce(say("lookup.empty"));
    if (wanted.entries) sessionStorage.setItem("aftersend-check", wanted.entries.join("\n"));
    return goTo(wanted.page, wanted.name, wanted.query);
  };
  return html`
    <form class="lookup" role="search" onSubmit=${submit}>
      <label for="lookup">${say("lookup.label")}</label>
      <div class="lookup-row">
        <input id="lookup" ref=${box} type="text" autocomplete="off" autocapitalize="none" spellcheck=${false} inputmode="email" enterkeyhint="search" />
        <button type="submit" class="main">${say("lookup.button")}</button>
      </div>
    </form>`;
}

// ---- Page --------------------------------------------------------------------------------------------------------

function Page({ route }) {
  useWho(); // rights may be known only after the page is shown: what somebody may not do is then taken away
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (!(route.page in PAGES) || loaded[route.page]) return;
    PAGES[route.page].load().then(
      (page) => setLoaded((before) => ({ ...before, [route.page]: page })),
      () => setLoaded((before) => ({ ...before, [route.page]: StalePage })),
    );
  }, [route.page]);
  if (!(route.page in PAGES)) return html`<h1>${say("page.unknown")}</h1>`;
  const Chosen = loaded[route.page];
  return Chosen ? html`<${Chosen} route=${route} />` : html`<${Busy} />`;
}

// ---- Keys --------------------------------------------------------------------------------------------------------

// None fires in a field or with a modifier, none decides, and all can be turned off (WCAG 2.1.4).
function useKeys({ showHelp }) {
  useEffect(() => {
    let wentTo = 0;
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || localStorage.getItem(KEYS_OFF) === "off") return;
      if (event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
      const page = Date.now() - wentTo < 1500 && Object.keys(PAGES).find((each) => PAGES[each].key === event.key);
      wentTo = event.key === "g" ? Date.now() : 0;
      const act = page ? () => goTo(page) : ACTS[event.key] ?? (event.key === "?" ? showHelp : null);
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

const ACTS = {
  "/": () => document.getElementById("lookup").select(),
  u: () => turnZone(nameZone() !== "UTC"),
  j: () => moveInList(1),
  k: () => moveInList(-1),
  o: () => document.activeElement?.closest("[data-item]")?.querySelector("summary, [data-open]")?.click(),
};

function moveInList(step) {
  const items = [...document.querySelectorAll("[data-item]")];
  const at = items.indexOf(document.activeElement?.closest("[data-item]"));
  items[Math.min(Math.max(at + step, 0), items.length - 1)]?.focus();
}

// Where an issuer is named, whoever comes signs in there first.
const place = document.getElementById("console");
const begin = isSigned ? import("./sign_in.js").then((each) => each.signIn()) : Promise.resolve();
begin.then(
  () => render(html`<${App} />`, place),
  (error) => render(html`<main><h1>${say("signin.failed")}</h1><p>${error.message}</p><p><a href=${location.pathname}>${say("signin.again")}</a></p></main>`, place),
);
