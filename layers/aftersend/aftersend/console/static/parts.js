// What pages are made of: signs, moments, quotations, tables, forms, dialogs, and what stands where there is nothing.
import { say } from "./texts.js";
import { NAMES } from "./names.js";
import { linkTo } from "./router.js";
import { bareAddress, MAX_QUOTE, maskOthers, writeOut } from "./safe.js";
import { useZone, writeDistance, writeMoment } from "./time.js";
import { html, useEffect, useState } from "./view.js";

export const ALL_STREAMS = "*"; // as a scope
export const nameSource = (source) => NAMES[source] ?? source;

// ---- Said to everybody -------------------------------------------------------------------------------------------

export function announce(text) {
  dispatchEvent(new CustomEvent("aftersend-say", { detail: text }));
}

export function LiveRegion() {
  const [said, setSaid] = useState("");
  useEffect(() => {
    const hear = (event) => setSaid(event.detail);
    const wait = (event) => setSaid(say("problem.wait", { seconds: event.detail / 1000 }));
    addEventListener("aftersend-say", hear);
    addEventListener("aftersend-busy", wait);
    return () => {
      removeEventListener("aftersend-say", hear);
      removeEventListener("aftersend-busy", wait);
    };
  }, []);
  return html`<div role="status" class="unseen">${said}</div>`;
}

// ---- Small things ------------------------------------------------------------------------------------------------

const SIGNS = { stop: "✖", go: "✔", wait: "◷", warn: "!", note: "•" };
export function Sign({ tone }) {
  return html`<span class=${`sign sign-${tone}`} aria-hidden="true">${SIGNS[tone]}</span>`;
}

export function Badge({ tone, children }) {
  return html`<span class=${`badge badge-${tone}`}><${Sign} tone=${tone} />${children}</span>`;
}

export function Moment({ at, distance = false }) {
  const utc = useZone();
  if (!at) return null;
  const other = writeMoment(at, { inUtc: !utc });
  return html`<time datetime=${at} title=${other}>${writeMoment(at)}</time>${distance && html`<span class="soft">${` (${writeDistance(at)})`}</span>`}`;
}

const TONES = {
  sent: "note", deferred: "wait", expired: "warn", delivered: "go", rejected: "stop", bounced: "stop", complained: "stop",
};
export function Status({ status, klass }) {
  const soft = status === "bounced" && klass && klass !== "hard";
  const key = soft ? `status.bounced.${klass}` : `status.${status}`;
  return html`<${Badge} tone=${soft ? "warn" : TONES[status] ?? "note"}>${say(key)}<//>`;
}

export const nameReason = (reason) => (reason ? say(`reason.${reason}`) : "");
export const sayCause = ({ cause, latest }) => say(`cause.${cause}`) + (latest?.reason && cause !== "complaint" ? `: ${nameReason(latest.reason)}` : "");
export const namePerson = (by) => (by ? by.split("/").at(-1) : "");
export const linkToPerson = (recipient, query) => linkTo("address", recipient.replace(/^email:/, ""), query);

export function Person({ recipient }) {
  return html`<a href=${linkToPerson(recipient)}>${writeOut(bareAddress(recipient))}</a>`;
}

export const count = (number) => number.toLocaleString("en-GB");

export function CopyButton({ text, label }) {
  const copy = async () => {
    await navigator.clipboard.writeText(text());
    announce(say("copied"));
  };
  return html`<button type="button" onClick=${copy}>${label ?? say("copy")}</button>`;
}

// The words of a stranger: never markup, never a link, and nobody else's address unless it is asked for.
export function Quote({ text, own = "", label }) {
  const [isOpen, setOpen] = useState(false);
  const [isBare, setBare] = useState(false);
  const masked = maskOthers(text, own);
  const shown = writeOut(isBare ? text : masked);
  const cut = !isOpen && shown.length > MAX_QUOTE;
  return html`
    <figure class="quote">
      ${label && html`<figcaption>${label}</figcaption>`}
      <blockquote tabindex=${shown.length > 300 ? 0 : undefined}>${cut ? shown.slice(0, MAX_QUOTE) : shown}${cut ? "…" : ""}</blockquote>
      ${(cut || masked !== text) && html`<div class="quote-tools">
        ${cut && html`<button type="button" class="link" onClick=${() => setOpen(true)}>${say("quote.more")}</button>`}
        ${masked !== text && html`<button type="button" class="link" aria-pressed=${isBare} onClick=${() => setBare(!isBare)}>
          ${say(isBare ? "quote.mask" : "quote.unmask")}</button>`}
      </div>`}
    </figure>`;
}

// ---- Tables ------------------------------------------------------------------------------------------------------

// Each column has a `name`, how it shows a row (`show`), and `number` where figures stand below one another. On a
// narrow screen each row becomes a card; the roles keep it a table for those who hear it.
export function Table({ caption, columns, rows, keyOf, detailOf, current, rowProps = () => ({}) }) {
  const shown = columns.filter(Boolean);
  return html`
    <table role="table" class="table">
      <caption class="unseen">${caption}</caption>
      <thead role="rowgroup"><tr role="row">
        ${shown.map((each) => html`<th role="columnheader" scope="col" class=${each.number ? "number" : ""}>${each.name}</th>`)}
      </tr></thead>
      <tbody role="rowgroup">
        ${rows.map((row, place) => {
          const detail = detailOf?.(row, place);
          return html`
            <tr role="row" key=${keyOf?.(row) ?? place} class=${current === place ? "current" : ""} ...${rowProps(row, place)}>
              ${shown.map((each, at) => html`<${at === 0 ? "th" : "td"} role=${at === 0 ? "rowheader" : "cell"} scope=${at === 0 ? "row" : undefined}
                class=${each.number ? "number" : each.wide ? "wide" : ""} data-label=${each.name}><div class="cell">${each.show(row, place)}</div><//>`)}
            </tr>
            ${detail && html`<tr role="row" class="detail"><td role="cell" colspan=${shown.length}>${detail}</td></tr>`}`;
        })}
      </tbody>
    </table>`;
}

// ---- Files and numbers -------------------------------------------------------------------------------------------

// A file that is made here, of what is shown here.
export function Download({ name, label, content, type = "text/csv" }) {
  const give = () => {
    const url = URL.createObjectURL(new Blob([content()], { type: `${type};charset=utf-8` }));
    const link = Object.assign(document.createElement("a"), { href: url, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  return html`<button type="button" onClick=${give}>${label}</button>`;
}

// Numbers beside one another, each with what it counts.
export function Tally({ counts }) {
  return html`<p class="tally">${counts.map(([number, name]) => html`<span key=${name}><strong>${count(number)}</strong> ${name}</span>`)}</p>`;
}

// ---- Where there is nothing, not yet, or no answer ---------------------------------------------------------------

export function Empty({ children, action }) {
  return html`<div class="empty"><p>${children}</p>${action}</div>`;
}

export function Busy({ slow }) {
  return html`<p class="busy" aria-live="polite">${slow ? say("busy") : ""}</p>`;
}

const EXPLAINED = [0, 401, 403, 404, 429, 500, 503];
export function explain({ status }) {
  return EXPLAINED.includes(status) ? say(`problem.${status}`) : say("problem.other", { status });
}

export function ProblemNote({ problem, onRetry }) {
  return html`
    <div class="problem" role="alert">
      <p><${Sign} tone="warn" /> <strong>${explain(problem)}</strong></p>
      ${problem.message && html`<p class="soft">${writeOut(problem.message)}</p>`}
      ${onRetry && html`<button type="button" onClick=${onRetry}>${say("retry")}</button>`}
    </div>`;
}

// An answer that may still be on its way.
export function Answered({ answer, children }) {
  if (answer.problem) return html`<${ProblemNote} problem=${answer.problem} onRetry=${answer.reload} />`;
  if (answer.data === undefined) return html`<${Busy} slow=${answer.slow} />`;
  return children(answer.data);
}

// A part of a page that is fetched when it is first needed.
const fetched = new Map();
export function Lazy({ from, name, ...given }) {
  const [Part, setPart] = useState(() => fetched.get(name));
  useEffect(() => {
    if (Part) return;
    from().then(
      (found) => {
        fetched.set(name, found[name]);
        setPart(() => found[name]);
      },
      () => setPart(() => StalePage),
    );
  }, []);
  return Part ? html`<${Part} ...${given} />` : html`<${Busy} />`;
}

export function StalePage() {
  return html`<h1>${say("page.stale")}</h1>`;
}

export function Section({ title, aside, children }) {
  return html`<section><div class="section-head"><h2>${title}</h2>${aside && html`<div class="aside">${aside}</div>`}</div>${children}</section>`;
}
