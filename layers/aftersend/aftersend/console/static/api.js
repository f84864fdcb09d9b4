// The API, asked from the page. Nobody's address is part of this page's own URL; here it must be, and the log of the
// API has no paths.
import { useCallback, useEffect, useRef, useState } from "./view.js";

export const SETTINGS = Object.fromEntries(
  [...document.querySelectorAll('meta[name^="aftersend-"]')].map((each) => [each.name.slice(10), each.content]),
);
const BASE = SETTINGS.api ?? "/";
const PATIENCE = [2000, 4000, 8000]; // milliseconds before a question that was one too many is asked again
// Headers that say who asks, and what to do where that is not taken any more; of a page that knows no more, nothing.
let authorization = { give: async () => ({}), renew: null };

export function setAuthorization(given) {
  authorization = given;
}

// What went wrong: `status` 0 is no answer at all. `data` has the members of the problem detail (RFC 9457).
export class Problem extends Error {
  constructor(status, data = {}) {
    super(data.detail ?? data.message ?? data.title ?? "");
    this.status = status;
    this.type = (data.type ?? "").split(":").at(-1);
    this.data = data;
  }
}

// A part of a path. API Gateway ends a path at a question mark even if it is encoded, so that is encoded twice.
export const part = (text) => encodeURIComponent(text).replaceAll("%3F", "%253F");

export async function ask(method, path, { query = {}, body, ifMatch, type, signal } = {}) {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== ""));
  const url = `${BASE}${path.replace(/^\//, "")}${asked.size ? `?${asked}` : ""}`;
  const headers = await authorization.give();
  // A row that was never written has no version: then nothing may have been written since.
  if (ifMatch === 0) headers["If-None-Match"] = "*";
  else if (ifMatch !== undefined) headers["If-Match"] = `"${ifMatch}"`;
  if (body !== undefined) headers["Content-Type"] = type ?? "application/json";
  const content = body === undefined || type ? body : JSON.stringify(body);
  for (const wait of [...PATIENCE, null]) {
    const answer = await send(url, { method, headers, body: content, signal, cache: "no-store" });
    if (answer.status === 401 && authorization.renew) await authorization.renew();
    if (answer.status !== 429 || wait === null) return read(answer);
    dispatchEvent(new CustomEvent("aftersend-busy", { detail: wait }));
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function send(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0);
  }
}

async function read(answer) {
  const isJson = /\bjson\b/.test(answer.headers.get("content-type") ?? "");
  const data = isJson ? await answer.json().catch(() => ({})) : {};
  if (!answer.ok) throw new Problem(answer.status, data);
  return { status: answer.status, data, headers: answer.headers };
}

export const get = async (path, query, options) => (await ask("GET", path, { query, ...options })).data;

// What became of one message to one recipient.
export async function getOutcome(recipient, message) {
  const { outcomes } = await get(`messages/${part(message)}`, { recipient });
  return outcomes[0];
}

// An answer for a component: what there is, whether it takes long, what went wrong, and a way to ask again. An answer
// that comes after another question was asked is dropped.
export function useAnswer(question, inputs) {
  const [state, setState] = useState({ busy: true });
  const latest = useRef(0);
  const reload = useCallback(async () => {
    const mine = ++latest.current;
    const isMine = () => latest.current === mine;
    setState((before) => ({ data: before.data, busy: true }));
    const slow = setTimeout(() => isMine() && setState((before) => ({ ...before, slow: true })), 400);
    try {
      const data = await question();
      if (isMine()) setState({ data });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (isMine()) setState({ problem });
    } finally {
      clearTimeout(slow);
    }
  }, inputs);
  useEffect(() => {
    setState({ busy: true });
    reload();
    return () => { latest.current += 1; };
  }, [reload]);
  return { ...state, reload, setData: (data) => setState({ data }) };
}
