// Which of these may I write to?
import { ask, Problem } from "../api.js";
import { writeCsv, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/lists.js";
import { html, useEffect, useState } from "../view.js";
import { Field } from "../forms.js";
import { announce, Badge, count, Download, linkToPerson, Moment, ProblemNote, Section, Table } from "../parts.js";

const AT_ONCE = 1000; // that the API takes
const MAX = 10_000; // one after the other; more is a list to import
const SHOWN = 200; // rows on the page; the file has all

export function CheckList() {
  const [pasted] = useState(take);
  const [text, setText] = useState(pasted);
  const [stream, setStream] = useState("");
  const [state, setState] = useState({});
  useEffect(() => { if (pasted) check(); }, []); // the look-up box has asked already
  const check = async (event) => {
    event?.preventDefault();
    const given = text.split(/[\n;]+|,(?![^<]*>)/).map((each) => each.trim()).filter(Boolean);
    if (!given.length) return setState({ error: say("check.none") });
    if (given.length > MAX) return setState({ error: say("check.many", { count: count(given.length), max: count(MAX) }) });
    try {
      setState({ results: await checkAll(given, stream.trim(), (done) => setState({ done, all: given.length })) });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState({ problem });
    }
  };
  return html`
    <${Section} title=${say("check.title")}>
      <form class="stack" onSubmit=${check}>
        <${Field} kind="textarea" rows="6" label=${say("check.label", { max: count(MAX) })} error=${state.error} value=${text} onInput=${(event) => setText(event.target.value)} spellcheck=${false} />
        <${Field} label=${say("lists.stream")} hint=${say("lists.stream.hint")} value=${stream} onInput=${(event) => setStream(event.target.value)} maxlength="256" />
        <div class="buttons"><button type="submit" class="main">${say("check.do")}</button></div>
      </form>
      ${state.done !== undefined && html`<div role="status"><progress max=${state.all} value=${state.done} aria-label=${say("check.title")}></progress> ${say("check.progress", { done: count(state.done), all: count(state.all) })}</div>`}
      ${state.problem && html`<${ProblemNote} problem=${state.problem} />`}
      ${state.results && html`<${Results} found=${state.results} />`}
    <//>`;
}

// What was pasted into the look-up box, once: it is kept for no other time.
function take() {
  const pasted = sessionStorage.getItem("aftersend-check") ?? "";
  sessionStorage.removeItem("aftersend-check");
  return pasted;
}

async function checkAll(given, scope, tell) {
  const results = [];
  let at;
  for (let from = 0; from < given.length; from += AT_ONCE) {
    if (given.length > AT_ONCE) tell(from);
    const { data } = await ask("POST", "suppressions/check", { body: { recipients: given.slice(from, from + AT_ONCE), scope: scope || undefined } });
    results.push(...data.results);
    at ??= data.checked_at;
  }
  return { results, at };
}

const isAllowed = (each) => !each.suppressed && !each.error;

function Results({ found }) {
  const [only, setOnly] = useState("stopped");
  const { results } = found;
  const allowed = results.filter(isAllowed);
  const errors = results.filter((each) => each.error).length;
  const rows = only === "stopped" ? results.filter((each) => !isAllowed(each)) : allowed;
  const said = say("check.head", { allowed: count(allowed.length), stopped: count(results.length - allowed.length) });
  useSaid(said);
  return html`
    <div class="stack">
      <h3>${said}${errors > 0 && ` (${say("check.errors", { count: count(errors) })})`}</h3>
      <p class="soft">${say("check.at")} <${Moment} at=${found.at} /></p>
      <div class="buttons">
        <${Download} name="allowed.csv" label=${say("check.csv")} content=${() => writeCsv([["recipient"], ...allowed.map((each) => [each.recipient.replace(/^email:/, "")])])} />
        <${Download} name="checked.csv" label=${say("check.csv.all")} content=${() => writeCsv([["given", "recipient", "suppressed", "cause", "reason", "until"], ...results.map(toRow)])} />
      </div>
      <div class="filters"><${Field} kind="select" label=${say("check.only")} value=${only} onChange=${(event) => setOnly(event.target.value)}>
        <option value="stopped">${say("check.show.stopped")}</option><option value="allowed">${say("check.show.allowed")}</option><//></div>
      <${Table} caption=${said} rows=${rows.slice(0, SHOWN)} columns=${[
        { name: say("check.given"), show: (each) => (each.recipient ? html`<a href=${linkToPerson(each.recipient)}>${writeOut(each.given)}</a>` : writeOut(each.given)) },
        { name: say("check.answer"), show: (each) => html`<${Answer} result=${each} />` },
        { name: say("why"), show: (each) => (each.error ? writeOut(each.error.detail) : (each.why ?? []).map((cause) => say(`cause.${cause.cause}`)).join(", ")) },
        { name: say("check.until"), show: (each) => each.until && html`<${Moment} at=${each.until} />` },
      ]} />
    </div>`;
}

function useSaid(text) {
  const [last, setLast] = useState("");
  if (text !== last) {
    setLast(text);
    announce(text);
  }
}

function Answer({ result }) {
  if (result.error) return html`<${Badge} tone="warn">${say("check.error")}<//>`;
  return result.suppressed ? html`<${Badge} tone="stop">${say("check.stopped")}<//>` : html`<${Badge} tone="go">${say("check.allowed")}<//>`;
}

function toRow(each) {
  const first = each.why?.[0] ?? {};
  return [each.given, each.recipient ?? "", each.suppressed ? "yes" : "no", each.error ? "error" : first.cause ?? "", first.reason ?? "", each.until ?? ""];
}
