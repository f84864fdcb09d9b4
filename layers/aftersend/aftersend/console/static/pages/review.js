// What a person should look at: accidents of providers, addresses that work again, refusals that nobody understands.
import { ask, get, part, Problem, useAnswer } from "../api.js";
import { linkTo } from "../router.js";
import { bareAddress, domainOf, writeOut } from "../safe.js";
import { say, sayCount } from "../texts.js";
import "../texts/deciding.js";
import "../texts/review.js";
import { writeClock, writeMoment } from "../time.js";
import { html, useState } from "../view.js";
import { whyNot } from "../rights.js";
import { DecisionForm, Dialog, NoteField } from "../forms.js";
import {
  announce, Answered, Badge, count, Empty, explain, Lazy, Moment, namePerson, nameReason, Person, Quote,
  Section, Tally,
} from "../parts.js";

const FEW = 5; // groups that are open from the beginning
const ENOUGH = 100; // things that are read before a person is asked to go on
const KINDS = ["contradicted", "undetermined", "content"];
const DECISIONS = { contradicted: ["release", "keep"], undetermined: ["keep", "suppress"], content: ["keep", "suppress"] };

export function ReviewPage() {
  const answer = useAnswer(readAll, []);
  const [dialog, setDialog] = useState(null);
  const [decided, setDecided] = useState(""); // the incident that was decided here stays open
  const done = () => {
    setDecided(dialog?.incident?.id ?? "");
    setDialog(null);
    announce(say("review.decided"));
    answer.reload();
  };
  return html`
    <h1>${say("review.title")}</h1>
    <${Answered} answer=${answer}>${(found) => html`
      <${Waiting} found=${found} />
      <${Incidents} incidents=${found.incidents} open=${setDialog} decided=${decided} />
      ${KINDS.map((kind) => html`<${Groups} key=${kind} kind=${kind} groups=${found.groups[kind]} open=${setDialog} />`)}`}<//>
    ${dialog?.incident && html`<${IncidentDialog} ...${dialog} onDone=${done} onClose=${() => setDialog(null)} />`}
    ${dialog?.group && html`<${GroupDialog} ...${dialog} onDone=${done} onClose=${() => setDialog(null)} />`}
    ${dialog?.rule && html`<${Lazy} name="RuleDialog" from=${() => import("./rule.js")} text=${dialog.rule} onClose=${() => setDialog(null)} />`}`;
}

async function readAll() {
  const [{ incidents }, { incidents: confirmed }, review] = await Promise.all([get("incidents"), get("incidents", { state: "confirmed" }), readReview()]);
  return { incidents: [...incidents, ...confirmed], ...review, at: new Date().toISOString() };
}

async function readReview() {
  const found = [];
  let cursor;
  do {
    const page = await get("review", { limit: 25, cursor });
    found.push(...(page.suppressions ?? []).map((row) => ({ row, why: row.review })));
    found.push(...(page.outcomes ?? []).map((outcome) => ({ outcome, why: outcome.review })));
    cursor = page.next;
  } while (cursor && found.length < ENOUGH);
  const groups = Object.fromEntries(KINDS.map((kind) => [kind, groupAlike(found.filter((each) => each.why === kind))]));
  return { groups, more: Boolean(cursor) };
}

// Refusals in the same words are one thing to decide about, whatever numbers stand in them.
function groupAlike(found) {
  const groups = new Map();
  for (const each of found) {
    const text = textOf(each);
    const key = each.row ? `${each.row.recipient} ${each.row.scope}` : text.replace(/\S+@\S+/g, "@").replace(/[0-9]+/g, "#").toLowerCase();
    if (!groups.has(key)) groups.set(key, { key, text, items: [] });
    groups.get(key).items.push(each);
  }
  return [...groups.values()].sort((one, other) => other.items.length - one.items.length);
}

const decidedOf = (outcome) => outcome.feedback.find((each) => each.decided) ?? outcome.feedback[0];
const textOf = ({ outcome }) => (outcome && decidedOf(outcome).evidence?.text) || "";
const recipientOf = ({ row, outcome }) => (row ?? outcome).recipient;

function Waiting({ found }) {
  const counts = [
    ["incidents", found.incidents.filter((each) => each.state === "open").length],
    ...KINDS.map((kind) => [kind, found.groups[kind].reduce((sum, group) => sum + group.items.length, 0)]),
  ].filter(([, number]) => number);
  if (!counts.length) return html`<${Empty}>${say("review.nothing", { time: writeClock(found.at) })}<//>`;
  return html`<${Tally} counts=${counts.map(([name, number]) => [number, sayCount(`review.tally.${name}`, number)])} />
    ${found.more && html`<p class="soft">${say("review.more")}</p>`}`;
}

// ---- Incidents ---------------------------------------------------------------------------------------------------

function Incidents({ incidents, open, decided }) {
  if (!incidents.length) return null;
  return html`
    <${Section} title=${say("review.incidents")}>
      <p class="soft">${say("review.incidents.what")}</p>
      <div class="items">${incidents.map((each) => html`<${Incident} key=${each.id} incident=${each} open=${open} isDecided=${each.id === decided} />`)}</div>
    <//>`;
}

function Incident({ incident, open, isDecided }) {
  const tone = { open: "warn", reverted: "go", confirmed: "stop" }[incident.state];
  const head = say("review.incident.head", { refused: count(incident.refused), sent: count(incident.sent), reason: nameReason(incident.reason) });
  const isOpen = incident.state === "open" || isDecided;
  return html`
    <details class="item" open=${isOpen} data-item tabindex="-1">
      <summary><span class="item-name">${writeOut(incident.domain)}</span><${Badge} tone=${tone}>${say(`review.incident.${incident.state}`)}<//><span>${head}</span>
        <span class="soft item-end"><${Moment} at=${incident.since} /> – <time datetime=${incident.until}>${writeMoment(incident.until).split(", ")[1]}</time></span></summary>
      <div class="item-body">
        ${incident.decided_by && html`<p>${say("review.incident.by", { who: writeOut(namePerson(incident.decided_by)), note: writeOut(incident.note ?? "") })} <${Moment} at=${incident.decided_at} /></p>`}
        ${!whyNot("decide") && html`<div class="buttons">
          ${incident.state === "open" && html`<button type="button" onClick=${() => open({ incident, decision: "revert" })}>${say("review.incident.revert")}</button>`}
          ${incident.state !== "confirmed" && html`<button type="button" onClick=${() => open({ incident, decision: "confirm" })}>${say("review.incident.confirm")}</button>`}
        </div>`}
        ${incident.state === "reverted" && html`<p class="soft">${say("review.incident.after")} <a href=${linkTo("lists", "revert", { domain: incident.domain, reason: "suppressed", since: incident.since })}>${say("review.incident.after.link")}</a></p>`}
      </div>
    </details>`;
}

function IncidentDialog({ incident, decision, onDone, onClose }) {
  const [note, setNote] = useState("");
  const [error, setError] = useState("");
  const [problem, setProblem] = useState(null);
  const send = async () => {
    setError(note.trim() ? "" : say("note.missing"));
    if (!note.trim()) return;
    try {
      await ask("PUT", `incidents/${part(incident.id)}/decision`, { body: { decision, note: note.trim() } });
      onDone();
    } catch (failed) {
      if (!(failed instanceof Problem)) throw failed;
      setProblem(failed);
    }
  };
  return html`
    <${Dialog} title=${say(`review.${decision}.title`, { domain: incident.domain })} onClose=${onClose}>
      <p>${say(`review.${decision}.what`)}</p>
      <${DecisionForm} send=${send} action=${say(`review.${decision}.do`)} onClose=${onClose} problem=${problem} danger=${decision === "confirm"}>
        <${NoteField} label=${say("review.note.incident")} error=${error} value=${note} onInput=${(event) => setNote(event.target.value)} />
      <//>
    <//>`;
}

// ---- What is alike -----------------------------------------------------------------------------------------------

function Groups({ kind, groups, open }) {
  if (!groups.length) return null;
  return html`
    <${Section} title=${say(`review.${kind}`)}>
      <p class="soft">${say(`review.${kind}.what`)}</p>
      <div class="items">${groups.map((group) => html`<${Group} key=${group.key} kind=${kind} group=${group} open=${open} isOpen=${groups.length <= FEW} />`)}</div>
    <//>`;
}

function Group({ kind, group, open, isOpen }) {
  const [first] = group.items;
  const domains = [...new Set(group.items.map((each) => domainOf(recipientOf(each))))];
  const where = domains.length > 1 ? say("review.several", { count: domains.length }) : domains[0];
  const head = first.row ? writeOut(bareAddress(first.row.recipient)) : say("review.group", { count: count(group.items.length), where: writeOut(where) });
  return html`
    <details class="item" open=${isOpen} data-item tabindex="-1">
      <summary><span class="item-name">${head}</span>${!first.row && html`<span class="clip">${writeOut(group.text) || say("review.group.no.text")}</span>`}</summary>
      <div class="item-body">
        ${first.row && html`<p>${writeOut(first.row.answer.sentence)}</p>`}
        ${group.text && html`<${Quote} text=${group.text} own=${recipientOf(first)} />`}
        ${first.outcome?.verdict && html`<p>→ ${writeOut(first.outcome.verdict.advice)}</p>`}
        ${!first.row && html`<p>${say("review.whom")}: ${group.items.slice(0, 12).map((each, at) => html`${at > 0 && ", "}<${Person} recipient=${recipientOf(each)} />`)}${group.items.length > 12 && " …"}</p>`}
        ${!whyNot("decide") && html`<div class="buttons">
          ${DECISIONS[kind].map((decision) => html`<button type="button" key=${decision} onClick=${() => open({ group, decision })}>${say(`review.${decision}`)}</button>`)}
          ${kind === "undetermined" && group.text && html`<button type="button" onClick=${() => open({ rule: group.text })}>${say("review.rule")}</button>`}
        </div>`}
      </div>
    </details>`;
}

// One after the other, with what is known then; where somebody was quicker, it stops and says so.
function GroupDialog({ group, decision, onDone, onClose }) {
  const [note, setNote] = useState("");
  const [error, setError] = useState("");
  const [left, setLeft] = useState(group.items);
  const [stopped, setStopped] = useState(null);
  const all = group.items.length;
  const send = async () => {
    setError(note.trim() ? "" : say("note.missing"));
    if (!note.trim()) return;
    let rest = left;
    while (rest.length) {
      const [item] = rest;
      rest = rest.slice(1);
      try {
        await resolve(item, decision, note.trim());
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        const name = bareAddress(recipientOf(item));
        setLeft(problem.status === 412 ? rest : [item, ...rest]);
        setStopped({ text: problem.status === 412 ? say("review.moved", { name }) : say("review.refused", { name, why: explain(problem) }), problem, isEnd: !rest.length });
        return;
      }
      setLeft(rest);
    }
    onDone();
  };
  const title = say(`review.decide.title.${decision}`, { count: count(all) });
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <p>${say(`review.decide.what.${decision}`)}</p>
      ${left.length < all && html`<div role="status"><progress max=${all} value=${all - left.length} aria-label=${title}></progress> ${say("review.progress", { done: count(all - left.length), all: count(all) })}</div>`}
      ${stopped && html`<div class="problem" role="alert"><p><strong>${stopped.text}</strong></p></div>`}
      ${stopped?.isEnd && html`<div class="buttons"><button type="button" class="main" onClick=${onDone}>${say("close")}</button></div>`}
      ${!stopped?.isEnd && html`<${DecisionForm} send=${send} action=${stopped ? say("review.go.on") : say(`review.decide.do.${decision}`)} onClose=${stopped ? onDone : onClose}>
        <${NoteField} label=${say("note")} error=${error} value=${note} onInput=${(event) => setNote(event.target.value)} />
      <//>`}
    <//>`;
}

function resolve({ row, outcome }, decision, note) {
  const body = { recipient: (row ?? outcome).recipient, decision, note };
  if (row) return ask("POST", "review/suppressions", { body: { ...body, scope: row.scope }, ifMatch: row.version });
  return ask("POST", "review/outcomes", { body: { ...body, message: outcome.message }, ifMatch: outcome.version });
}
