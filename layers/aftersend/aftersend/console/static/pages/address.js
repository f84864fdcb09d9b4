// Why does this person get no mail, what was sent to them, and may it be lifted?
import { get, getOutcome, part, Problem, useAnswer } from "../api.js";
import { whyNot } from "../rights.js";
import { linkTo, replaceRoute } from "../router.js";
import { bareAddress, maskOthers, writeOut } from "../safe.js";
import { say, sayCount } from "../texts.js";
import { writeDay, writeMoment } from "../time.js";
import { html, useEffect, useState } from "../view.js";
import {
  ALL_STREAMS, announce, Answered, Badge, Busy, CopyButton, count, Empty, Lazy, Moment, namePerson, nameReason, nameSource,
  ProblemNote, Quote, sayCause, Section, Sign, Status, Table,
} from "../parts.js";

// As the sentence names them: a person's own wishes first, what ends by itself last.
const ORDER = ["complaint", "unsubscribed", "manual", "hard", "provider", "streak", "pause"];
const WHOLE_TEXT = 200; // characters of a refusal that the history has; a longer one is asked for

export function AddressPage({ route }) {
  const [forgotten, setForgotten] = useState(null);
  useEffect(() => { if (route.name) setForgotten(null); }, [route.name]);
  if (!route.name) return forgotten ? html`<${Forgotten} result=${forgotten} />` : html`<${Welcome} />`;
  const forget = (result) => {
    setForgotten(result);
    announce(say("forgotten.head"));
    replaceRoute("address"); // the address stands nowhere any more
  };
  return html`<${Person} key=${route.name} name=${route.name} route=${route} forget=${forget} />`;
}

function Welcome() {
  return html`
    <h1>${say("address.title")}</h1>
    <p class="lead">${say("address.welcome")}</p>
    <ul class="examples">
      ${["address", "phone", "message", "list"].map((each) => html`<li>${say(`address.example.${each}`)}</li>`)}
    </ul>`;
}

function Person({ name, route, forget }) {
  const answer = useAnswer(() => readPerson(name), [name]);
  const [dialog, setDialog] = useState(null);
  const person = answer.data;
  useEffect(() => {
    if (person?.answer) announce(person.answer.sentence);
    else if (person) announce(say("unknown.head", { name }));
  }, [person]);
  if (answer.problem) return html`<${NoAnswer} name=${name} problem=${answer.problem} onRetry=${answer.reload} />`;
  if (!person) return html`<${Busy} slow=${answer.slow} />`;
  const done = (written) => {
    setDialog(null);
    if (written.erased) return forget(written.erased);
    announce(written.answer.sentence);
    answer.setData(putWritten(person, written));
    return refresh(answer, name, written);
  };
  const open = (kind, given = {}) => setDialog({ kind, ...given });
  return html`
    ${person.unknown && html`<${Unknown} person=${person} name=${name} open=${open} />`}
    ${person.answer && html`<${Known} person=${person} open=${open} route=${route} />`}
    ${dialog && html`<${Lazy} name="DeciderDialog" from=${() => import("./decide.js")} ...${dialog} recipient=${person.recipient ?? name} onDone=${done} onClose=${() => setDialog(null)}
      readAgain=${async (scope) => rowOf(await readPerson(name), scope)} />`}`;
}

async function readPerson(name) {
  try {
    const person = await get(`recipients/${part(name)}`);
    const quoted = findQuoted(person);
    return { ...person, quote: quoted && (await readQuote(person, quoted)) };
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    return { unknown: true, near: problem.data.near ?? [] };
  }
}

// The refusal that speaks: of the strictest scope that holds, the cause that the sentence begins with.
function findQuoted(person) {
  const held = person.suppressions.filter((each) => each.suppressed);
  for (const row of held.length ? held : person.suppressions) {
    const causes = row.causes.filter((each) => each.holds || !held.length).sort(byOrder);
    const latest = causes[0]?.latest;
    if (latest && causes[0].cause !== "manual") return latest;
  }
  return null;
}

const byOrder = (one, other) => ORDER.indexOf(one.cause) - ORDER.indexOf(other.cause);

async function readQuote(person, latest) {
  const line = person.outcomes.find((each) => each.message === latest.message);
  if (line?.text && line.text.length < WHOLE_TEXT) return { text: line.text, ...latest };
  try {
    const outcome = await getOutcome(person.recipient, latest.message);
    const fact = outcome.feedback.find((each) => each.id === latest.feedback);
    return fact?.evidence?.text ? { text: fact.evidence.text, ...latest } : { text: line?.text, ...latest };
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    return { text: line?.text, ...latest }; // the outcome has expired, the suppression has not
  }
}

const rowOf = (person, scope) => (person.suppressions ?? []).find((each) => each.scope === scope) ?? emptyRow(scope);
const emptyRow = (scope) => ({ scope, version: 0, causes: [], suppressed: false, history: [] });

// What was written is shown as the write answered it; all else is asked for again.
function putWritten(person, written) {
  const others = (person.suppressions ?? []).filter((each) => each.scope !== written.scope);
  const rows = [written, ...others].sort((one, other) => (one.scope === ALL_STREAMS ? -1 : other.scope === ALL_STREAMS ? 1 : 0));
  return { ...person, unknown: false, answer: written.answer, suppressions: rows, outcomes: person.outcomes ?? [],
    recipient: written.recipient, health: person.health, written };
}

async function refresh(answer, name, written) {
  try {
    const person = await readPerson(name);
    if (rowOf(person, written.scope).version >= written.version) answer.setData({ ...person, written });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem; // what the write answered stays
  }
}

// ---- The answer --------------------------------------------------------------------------------------------------

function Known({ person, open, route }) {
  const held = person.suppressions.filter((each) => each.suppressed);
  const main = held.find((each) => each.scope === ALL_STREAMS) ?? held[0];
  const others = held.filter((each) => each !== main);
  return html`
    <${AnswerCard} person=${person} row=${main} open=${open} isFirst=${true} />
    ${others.map((row) => html`<${AnswerCard} person=${person} row=${row} open=${open} key=${row.scope} />`)}
    <${Causes} person=${person} />
    <${Sent} person=${person} route=${route} />
    <${Decisions} rows=${person.suppressions} />
    <${More} person=${person} open=${open} />`;
}

// The sentence in its three parts: who, what happened, and what may be done. What does not come apart stays whole.
function splitSentence(answer, recipient) {
  const { sentence, lift_sentence: lift } = answer;
  const name = bareAddress(recipient);
  const from = sentence.indexOf(name);
  const colon = from < 0 ? -1 : sentence.indexOf(": ", from + name.length);
  const tail = `; ${lift.charAt(0).toLowerCase()}${lift.slice(1)}.`;
  if (colon < 0 || !sentence.endsWith(tail)) return { who: sentence, what: "", lift };
  const what = sentence.slice(colon + 2, sentence.length - tail.length);
  return { who: sentence.slice(0, colon), what: /^[a-z]+ /.test(what) ? what.charAt(0).toUpperCase() + what.slice(1) : what, lift };
}

function AnswerCard({ person, row, open, isFirst = false }) {
  const shown = row ?? person;
  const answer = shown.answer;
  const { who, what, lift } = splitSentence(answer, person.recipient);
  const isStopped = Boolean(row);
  const cause = row?.causes.filter((each) => each.holds).sort(byOrder)[0];
  const quote = isFirst ? person.quote : null;
  const Head = isFirst ? "h1" : "h2";
  return html`
    <article class=${`answer answer-${isStopped ? "stop" : "go"}`}>
      <${Head} class="verdict"><${Sign} tone=${isStopped ? "stop" : "go"} /> ${writeOut(who)}${what && "."}<//>
      ${what && html`<p class="what">${writeOut(what)}.</p>`}
      ${cause?.first && html`<p class="facts"><${Facts} cause=${cause} answer=${answer} /></p>`}
      ${quote?.text && html`<${Quote} text=${quote.text} own=${person.recipient} label=${say("quote.of", { source: nameSource(quote.source) })} />`}
      ${isStopped && html`<p class="may"><strong>${say("may.lift")}</strong> ${writeOut(lift)}.</p>`}
      <div class="buttons">
        ${isStopped && html`<${LiftButton} row=${row} open=${open} answer=${answer} />`}
        <${CopyButton} label=${say("copy.answer")} text=${() => copyAnswer(answer, quote, person.recipient)} />
        ${person.written && (!row || row.scope === person.written.scope) && html`<span class="done" role="status"><${Sign} tone="go" /> ${say("written")}</span>`}
      </div>
    </article>`;
}

function Facts({ cause, answer }) {
  const { first, latest } = cause;
  return html`
    <span>${say("since")} <${Moment} at=${first.at} distance /></span>
    ${latest.at !== first.at && html`<span>${say("last")} <${Moment} at=${latest.at} /></span>`}
    ${answer.ends_at ? html`<span>${say("ends")} <${Moment} at=${answer.ends_at} distance /></span>` : html`<span>${say("no.end")}</span>`}
    ${latest.rule && html`<span>${say("rule")} <code>${latest.rule}</code></span>`}`;
}

function LiftButton({ row, open, answer }) {
  const lift = answer.lift;
  const denied = whyNot("decide");
  if (lift === "nothing") return null;
  if (denied) return html`<button type="button" aria-disabled="true" title=${denied}>${say(`lift.button.${lift}`)}</button><span class="soft">${denied}</span>`;
  const tone = lift === "free" ? "main" : ""; // all others take a thought
  return html`<button type="button" class=${tone} onClick=${() => open("lift", { row, lift })}>${say(`lift.button.${lift}`)}</button>`;
}

function copyAnswer(answer, quote, own) {
  const said = quote?.text ? `\n${nameSource(quote.source)}, ${writeMoment(quote.at, { inUtc: true })}: ${maskOthers(quote.text, own)}` : "";
  return `${answer.sentence}${said}`;
}

// ---- What it rests on --------------------------------------------------------------------------------------------

function Causes({ person }) {
  const rows = person.suppressions.flatMap((row) => [
    ...row.causes.map((cause) => ({ ...cause, row })).sort(byOrder),
    ...(row.erased ?? []).map((cause) => ({ ...cause, row, holds: true, isErased: true })),
  ]);
  if (!rows.length) return null;
  return html`
    <${Section} title=${say("causes")}>
      <${Table} caption=${say("causes")} rows=${rows} columns=${[
        { name: say("cause"), show: sayCause },
        { name: say("stream"), show: (each) => (each.row.scope === ALL_STREAMS ? say("stream.all") : `“${writeOut(each.row.scope)}”`) },
        { name: say("counts"), show: (each) => html`<${Counts} cause=${each} />` },
        { name: say("first.last"), show: (each) => html`<${Span} cause=${each} />` },
        { name: say("by.source"), show: (each) => (each.latest ? nameSource(each.latest.source) : "") },
        { name: say("message"), show: (each) => each.latest && !each.latest.message.startsWith("manual:") && html`<a href=${linkTo("message", each.latest.message, { to: person.recipient })}>${writeOut(each.latest.message)}</a>` },
      ]} />
      ${person.suppressions.some((each) => each.pending?.length) && html`<p><a href=${linkTo("review", "incidents")}>${say("incident.open")}</a></p>`}
    <//>`;
}

function Counts({ cause }) {
  if (cause.isErased) return html`<${Badge} tone="stop">${say("counts.erased")}<//>`;
  if (cause.holds) return html`<${Badge} tone="stop">${say("counts.yes")}<//>`;
  return html`<${Badge} tone="go">${say(`ended.${cause.ended_by}`)}<//>`;
}

// Days are enough here; of an erased person no hour is shown.
function Span({ cause }) {
  if (!cause.first) return cause.at ? writeDay(cause.at) : null;
  const [first, last] = [writeDay(cause.first.at), writeDay(cause.latest.at)];
  return html`<time datetime=${cause.latest.at} title=${writeMoment(cause.latest.at)}>${first === last ? last : `${first} – ${last}`}</time>`;
}

// ---- What was sent -----------------------------------------------------------------------------------------------

function Sent({ person, route }) {
  const [older, setOlder] = useState({ lines: [], next: person.next });
  const [opened, setOpened] = useState(route.query.message ?? null);
  const lines = [...person.outcomes, ...older.lines];
  const health = person.health;
  const more = async () => {
    const page = await get(`recipients/${part(person.recipient)}`, { cursor: older.next });
    setOlder({ lines: [...older.lines, ...page.outcomes], next: page.next });
    announce(say("more.loaded", { count: page.outcomes.length }));
  };
  return html`
    <${Section} title=${say("sent")} aside=${health && html`<${Health} health=${health} />`}>
      ${lines.length === 0 && html`<${Empty}>${say("sent.none")}<//>`}
      ${lines.length > 0 && html`<${Table} caption=${say("sent")} rows=${lines} keyOf=${(each) => each.message}
        detailOf=${(each) => opened === each.message && html`<${OneOutcome} message=${each.message} recipient=${person.recipient} />`}
        columns=${[
          { name: say("last.news"), show: (each) => html`<${Moment} at=${each.last_at} />` },
          { name: say("outcome"), show: (each) => html`<${Status} status=${each.status} klass=${each.class} />${each.unproven && html` <${Badge} tone="note">${say("unproven")}<//>`}` },
          { name: say("why"), show: (each) => html`<span title=${each.text ? writeOut(maskOthers(each.text, person.recipient)) : undefined}>${nameReason(each.reason)}</span>` },
          { name: say("subject"), show: (each) => html`<${SentMessage} line=${each} />` },
          { name: say("details"), show: (each) => html`<button type="button" class="link" aria-expanded=${opened === each.message}
            onClick=${() => setOpened(opened === each.message ? null : each.message)}>${say(opened === each.message ? "details.close" : "details.open")}<span class="unseen">${` ${say("details.of", { message: each.message })}`}</span></button>` },
        ]} />`}
      ${older.next && html`<button type="button" onClick=${more}>${say("more.older")}</button>`}
    <//>`;
}

function SentMessage({ line }) {
  return html`<a href=${linkTo("message", line.message)}>${line.subject ? `“${writeOut(line.subject)}”` : writeOut(line.message)}</a>
    ${line.sender && html`<span class="soft">${" "}${say("from")} ${writeOut(line.sender)}</span>`}`;
}

function Health({ health }) {
  const said = ["delivered", "bounced", "complained"].filter((each) => health[each]).map((each) => `${count(health[each])} ${say(`health.${each}`)}`);
  return `${sayCount("messages", health.messages)}${said.length ? `: ${said.join(", ")}` : ""}`;
}

function OneOutcome({ message, recipient }) {
  const answer = useAnswer(() => getOutcome(recipient, message), [message, recipient]);
  return html`<${Answered} answer=${answer}>${(outcome) => html`<${Lazy} name="FeedbackList" from=${() => import("./feedback.js")} outcome=${outcome} />`}<//>`;
}

// ---- What people decided, and more -------------------------------------------------------------------------------

function Decisions({ rows }) {
  const made = rows.flatMap((row) => (row.history ?? []).map((each) => ({ ...each, scope: row.scope })));
  made.sort((one, other) => (one.at < other.at ? 1 : -1));
  return html`
    <${Section} title=${say("decisions")}>
      ${made.length === 0 && html`<${Empty}>${say("decisions.none")}<//>`}
      ${made.length > 0 && html`<${Table} caption=${say("decisions")} rows=${made} columns=${[
        { name: say("when"), show: (each) => html`<${Moment} at=${each.at} />` },
        { name: say("who"), show: (each) => html`<span title=${each.by}>${writeOut(namePerson(each.by))}</span>` },
        { name: say("what"), show: (each) => html`${say(`act.${each.act}`)}${each.force && ` (${say("act.force")})`}${each.until && html`, ${say("until")} <${Moment} at=${each.until} />`}${each.scope !== ALL_STREAMS && `, “${writeOut(each.scope)}”`}` },
        { name: say("note"), show: (each) => (each.note ? `“${writeOut(each.note)}”` : "") },
      ]} />`}
    <//>`;
}

function More({ person, open }) {
  const row = rowOf(person, ALL_STREAMS);
  const [mayDecide, mayBulk] = [!whyNot("decide"), !whyNot("bulk")];
  if (!mayDecide && !mayBulk) return null;
  return html`
    <${Section} title=${say("more")}>
      <div class="buttons">
        ${mayDecide && html`<button type="button" onClick=${() => open("suppress", { row })}>${say("suppress.button")}</button>`}
        ${mayBulk && html`<button type="button" class="danger-quiet" onClick=${() => open("forget")}>${say("forget.button")}</button>`}
      </div>
    <//>`;
}

// ---- Nobody known, no address, no answer -------------------------------------------------------------------------

function Unknown({ person, name, open }) {
  return html`
    <article class="answer answer-note">
      <h1 class="verdict"><${Sign} tone="note" /> ${say("unknown.head", { name: writeOut(name) })}</h1>
      <p class="what">${say("unknown.what")}</p>
      ${person.near.length > 0 && html`<p class="what">${say("unknown.near")}${" "}
        ${person.near.map((each, at) => html`${at > 0 && ", "}<a href=${linkTo("address", bareAddress(each))}>${bareAddress(each)}</a>`)}</p>`}
      <div class="buttons">
        ${!whyNot("decide") && html`<button type="button" onClick=${() => open("suppress", { row: emptyRow(ALL_STREAMS) })}>${say("suppress.button")}</button>`}
      </div>
    </article>`;
}

function NoAnswer({ name, problem, onRetry }) {
  if (problem.type === "not-one-recipient") {
    return html`
      <article class="answer answer-note">
        <h1 class="verdict"><${Sign} tone="warn" /> ${say("invalid.head", { name: writeOut(name) })}</h1>
        <p class="what">${say("invalid.what", { detail: writeOut(problem.message) })}</p>
      </article>`;
  }
  const unsure = problem.status === 0 || problem.status >= 500 || problem.status === 429;
  if (!unsure) return html`<h1>${say("address.title")}</h1><${ProblemNote} problem=${problem} onRetry=${onRetry} />`;
  return html`
    <article class="answer answer-warn" role="alert">
      <h1 class="verdict"><${Sign} tone="warn" /> ${say("unsure.head")}</h1>
      <p class="what">${say("unsure.what")}</p>
      <div class="buttons"><button type="button" class="main" onClick=${onRetry}>${say("retry")}</button></div>
    </article>`;
}

function Forgotten({ result }) {
  return html`
    <article class="answer answer-go" role="status">
      <h1 class="verdict"><${Sign} tone="go" /> ${say("forgotten.head")}</h1>
      <p class="what">${say("forgotten.what", { outcomes: count(result.outcomes), suppressions: count(result.suppressions) })}
        ${" "}${say(result.suppressed ? "forgotten.suppressed" : "forgotten.free")}</p>
      <div class="buttons"><button type="button" onClick=${() => document.getElementById("lookup").focus()}>${say("forgotten.next")}</button></div>
    </article>`;
}
