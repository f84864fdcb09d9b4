// Who is newly suppressed, by the day of the newest cause. A page may be empty and still have a next one.
import { get, Problem } from "../api.js";
import { linkTo, replaceQuery } from "../router.js";
import { bareAddress, writeCsv, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/lists.js";
import { daysAgo, isoDay, writeDay } from "../time.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { CheckField, Field } from "../forms.js";
import { ALL_STREAMS, Badge, count, Download, Empty, Person, ProblemNote, sayCause, Section, Table } from "../parts.js";

const CAUSES = ["hard", "complaint", "unsubscribed", "streak", "pause", "provider", "manual"];
const ENOUGH = 50;

export function NewlySuppressed({ route }) {
  const wanted = { from: daysAgo(6), to: isoDay(Date.now()), ...route.query };
  const [state, setState] = useState({ rows: [], isBusy: true });
  const search = useRef(0);
  const question = JSON.stringify(wanted);
  const look = async (rows, cursor) => {
    const mine = ++search.current;
    const { from, to, cause, active } = wanted;
    let [found, next] = [rows, cursor];
    const enough = rows.length + ENOUGH;
    try {
      do {
        setState({ rows: found, next, isBusy: true });
        const page = await get("suppressions", { from, to, cause, active, limit: 50, cursor: next });
        if (search.current !== mine) return;
        [found, next] = [[...found, ...page.suppressions], page.next];
      } while (next && found.length < enough);
      setState({ rows: found, next });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (search.current === mine) setState({ rows: found, next, problem });
    }
  };
  const stop = () => {
    search.current += 1;
    setState({ ...state, isBusy: false });
  };
  useEffect(() => {
    look([]);
    return () => { search.current += 1; };
  }, [question]);
  const { rows, next, isBusy, problem } = state;
  return html`
    <${Section} title=${say("new.title")} aside=${rows.length > 0 && say("new.count", { count: count(rows.length) })}>
      <p class="soft">${say("new.what")}</p>
      <${Filters} wanted=${wanted} route=${route} />
      ${problem && html`<${ProblemNote} problem=${problem} onRetry=${() => look(rows, next)} />`}
      ${rows.length > 0 && html`<${Rows} rows=${rows} />`}
      ${isBusy && html`<div class="buttons" role="status"><span>${say("new.searching")}</span><button type="button" onClick=${stop}>${say("stop")}</button></div>`}
      ${!isBusy && !problem && rows.length === 0 && html`<${Empty} action=${html`<a href=${linkTo("lists", "new", { from: daysAgo(29) })}>${say("new.none.all")}</a>`}>${say("new.none", { from: writeDay(wanted.from), to: writeDay(wanted.to) })}<//>`}
      <div class="buttons">
        ${!isBusy && next && html`<button type="button" onClick=${() => look(rows, next)}>${say("more.rows")}</button>`}
        ${rows.length > 0 && html`<${Download} name="suppressed.csv" label=${say("new.csv")} content=${() => writeCsv([["recipient", "scope", "suppressed", "cause", "reason", "at"], ...rows.map(toRow)])} />`}
      </div>
    <//>`;
}

function Filters({ wanted, route }) {
  const change = (name) => (event) => replaceQuery(route, { [name]: event.target.type === "checkbox" ? (event.target.checked ? "true" : "") : event.target.value });
  return html`
    <div class="filters">
      <${Field} type="date" label=${say("new.from")} value=${wanted.from} onChange=${change("from")} />
      <${Field} type="date" label=${say("new.to")} value=${wanted.to} onChange=${change("to")} />
      <${Field} kind="select" label=${say("new.cause")} value=${wanted.cause ?? ""} onChange=${change("cause")}>
        <option value="">${say("all")}</option>${CAUSES.map((each) => html`<option value=${each} selected=${wanted.cause === each}>${say(`cause.${each}`)}</option>`)}<//>
      <${CheckField} label=${say("new.active")} checked=${wanted.active === "true"} onChange=${change("active")} />
    </div>`;
}

const newestOf = (row) => [...row.causes].filter((each) => each.latest).sort((one, other) => (one.latest.at < other.latest.at ? 1 : -1))[0];

function Rows({ rows }) {
  return html`<${Table} caption=${say("new.title")} rows=${rows} keyOf=${(each) => `${each.recipient} ${each.scope}`} columns=${[
    { name: say("new.who"), show: (each) => html`<${Person} recipient=${each.recipient} />${each.scope !== ALL_STREAMS && ` “${writeOut(each.scope)}”`}` },
    { name: say("counts"), show: (each) => (each.suppressed ? html`<${Badge} tone="stop">${say("counts.yes")}<//>` : html`<${Badge} tone="go">${say("check.allowed")}<//>`) },
    { name: say("new.sentence"), show: (each) => newestOf(each) && sayCause(newestOf(each)) },
    { name: say("new.since"), show: (each) => newestOf(each) && writeDay(newestOf(each).latest.at) },
  ]} />`;
}

function toRow(row) {
  const newest = newestOf(row);
  return [bareAddress(row.recipient), row.scope, row.suppressed ? "yes" : "no", newest?.cause ?? "", newest?.latest.reason ?? "", newest?.latest.at ?? ""];
}
