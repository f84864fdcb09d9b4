// What went wrong, where, and whose is it? In groups of the same words first, then one by one.
import { get, Problem } from "../api.js";
import { useConfiguration } from "../configuration.js";
import { addCounts, makeRate, writeShare } from "../rates.js";
import { linkTo, replaceQuery } from "../router.js";
import { bareAddress, maskOthers, writeCsv, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/feedback.js";
import "../texts/problems.js";
import { daysAgo, isoDay, writeDay } from "../time.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { Field } from "../forms.js";
import { count, Download, Empty, Moment, nameReason, nameSource, Person, ProblemNote, Status, Table } from "../parts.js";

const FILTERS = ["status", "class", "reason", "system", "source", "sender", "domain", "stream", "identifier"];
const STATUSES = ["bounced", "complained", "rejected", "deferred", "expired"];
const CLASSES = ["hard", "soft", "block", "ignore", "complaint", "undetermined"];
const REASONS = [
  "user_unknown", "invalid_address", "invalid_domain", "mailbox_disabled", "mailbox_full", "recipient_refused", "message_too_large", "expired",
  "greylisted", "rate_limited", "dns_failure", "network_error", "system_error", "protocol_error", "blocked", "auth_failed", "relay_denied",
  "sender_rejected", "spam_content", "policy_rejected", "content_rejected", "suppressed", "complaint", "undetermined",
];
const PAGE = 200;
const ENOUGH = 1000; // rows that are read before a person is asked to go on
const DAY = 86_400_000;

export function ProblemsPage({ route }) {
  const wanted = { from: daysAgo(6), to: isoDay(Date.now()), ...route.query };
  const configuration = useConfiguration();
  const search = useSearch(wanted);
  const rate = useRate(wanted);
  const view = route.query.view === "rows" ? "rows" : "groups";
  const nameSystem = (id) => configuration?.systems?.[id] ?? id;
  const { rows, isBusy, problem, backTo, next } = search;
  return html`
    <h1>${say("wrong.title")}</h1>
    <section>
      <p class="soft">${say("wrong.what")}</p>
      <${Filters} wanted=${wanted} route=${route} view=${view} systems=${configuration?.systems ?? {}} />
      <p class="tally">
        <span><strong>${count(rows.length)}${next ? "+" : ""}</strong> ${say("wrong.tally")}</span>
        ${rate?.now && html`<span>${say("wrong.tally.of", sayRate(rate.now))}</span>`}
        ${rate?.before && html`<span class="soft">${say("wrong.tally.before", sayRate(rate.before))}</span>`}
      </p>
      ${problem && html`<${ProblemNote} problem=${problem} onRetry=${search.more} />`}
      ${rows.length > 0 && (view === "rows"
        ? html`<${Rows} rows=${rows} nameSystem=${nameSystem} />`
        : html`<${Groups} rows=${rows} route=${route} nameSystem=${nameSystem} />`)}
      ${isBusy && html`<div class="buttons" role="status"><span>${say("wrong.searching")} ${backTo ? html`<${Moment} at=${backTo} />` : writeDay(wanted.to)} …</span>
        <button type="button" onClick=${search.stop}>${say("stop")}</button></div>`}
      ${!isBusy && !problem && rows.length === 0 && html`<${Nothing} wanted=${wanted} rate=${rate} />`}
      <div class="buttons">
        ${!isBusy && next && html`<button type="button" onClick=${search.more}>${say("more.rows")}</button><span class="soft">${say("wrong.newest", { count: count(rows.length) })} <${Moment} at=${backTo} /></span>`}
        ${rows.length > 0 && html`<${Download} name="went-wrong.csv" label=${say("wrong.csv")} content=${() => writeCsv(makeFile(rows))} />`}
      </div>
    </section>`;
}

const sayRate = (each) => ({ part: count(each.numerator), whole: each.rate === undefined ? count(each.denominator) : `${count(each.denominator)} (${writeShare("bounce", each.rate)})` });

// ---- What is asked -----------------------------------------------------------------------------------------------

// Page after page until there is enough to look at: one may be empty and still have a next.
function useSearch(wanted) {
  const [state, setState] = useState({ rows: [], isBusy: true });
  const mine = useRef(0);
  const asked = Object.fromEntries(FILTERS.map((each) => [each, wanted[each]]));
  const question = JSON.stringify([wanted.from, wanted.to, asked]);
  const look = async (rows, cursor, backTo) => {
    const turn = ++mine.current;
    const isMine = () => mine.current === turn;
    let [found, next, reached] = [rows, cursor, backTo];
    const enough = rows.length + ENOUGH;
    const query = { ...asked, from: `${wanted.from}T00:00:00Z`, to: new Date(Date.parse(wanted.to) + DAY).toISOString().replace(".000", ""), limit: PAGE };
    try {
      do {
        setState({ rows: found, next, backTo: reached, isBusy: true });
        const page = await get("outcomes", { ...query, cursor: next });
        if (!isMine()) return;
        [found, next, reached] = [[...found, ...page.outcomes], page.next, page.looked_back_to];
      } while (next && found.length < enough);
      setState({ rows: found, next, backTo: reached });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (isMine()) setState({ rows: found, next, backTo: reached, problem });
    }
  };
  useEffect(() => {
    look([]);
    return () => { mine.current += 1; };
  }, [question]);
  const stop = () => {
    mine.current += 1;
    setState((before) => ({ ...before, isBusy: false }));
  };
  return { ...state, stop, more: () => look(state.rows, state.next, state.backTo) };
}

// How much that is: of how many, and of how many in as many days before. Of a stack that does not count, nothing.
function useRate(wanted) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    let isWanted = true;
    readRate(wanted).then((rate) => isWanted && setFound(rate));
    return () => { isWanted = false; };
  }, [wanted.from, wanted.to]);
  return FILTERS.some((each) => wanted[each]) ? null : found;
}

async function readRate({ from, to }) {
  const length = Date.parse(to) - Date.parse(from) + DAY;
  const before = { from: isoDay(Date.parse(from) - length), to: isoDay(Date.parse(from) - DAY) };
  try {
    const [now, earlier] = await Promise.all([{ from, to }, before].map((each) => get("statistics", { ...each, by: "all" })));
    const [one, other] = [now, earlier].map((each) => makeRate("bounce", addCounts(each.days.map((line) => line.counts)), each.limits.bounce));
    return { now: one, before: other };
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return null;
  }
}

// ---- Filters -----------------------------------------------------------------------------------------------------

function Filters({ wanted, route, view, systems }) {
  const change = (name) => (event) => replaceQuery(route, { [name]: event.target.value.trim() });
  const isMore = ["source", "sender", "domain", "stream", "identifier"].some((each) => wanted[each]);
  const choice = (name, label, values, sayValue) => html`
    <${Field} kind="select" label=${say(label)} value=${wanted[name] ?? ""} onChange=${change(name)}>
      <option value="">${say("all")}</option>${values.map((each) => html`<option value=${each} selected=${wanted[name] === each}>${sayValue(each)}</option>`)}<//>`;
  const text = (name, label, hint) => html`<${Field} label=${say(label)} placeholder=${hint && say(hint)} value=${wanted[name] ?? ""} onChange=${change(name)} spellcheck=${false} autocomplete="off" />`;
  return html`
    <div class="filters">
      <${Field} type="date" label=${say("wrong.from")} value=${wanted.from} onChange=${change("from")} />
      <${Field} type="date" label=${say("wrong.to")} value=${wanted.to} onChange=${change("to")} />
      ${choice("status", "wrong.status", STATUSES, (each) => say(`status.${each}`))}
      ${choice("class", "wrong.class", CLASSES, (each) => say(`class.${each}`))}
      ${choice("reason", "wrong.reason", REASONS, nameReason)}
      ${choice("system", "wrong.system", Object.keys(systems).length ? Object.keys(systems) : [wanted.system].filter(Boolean), (each) => systems[each] ?? each)}
      <${Field} kind="select" label=${say("wrong.view")} value=${view} onChange=${change("view")}>
        ${["groups", "rows"].map((each) => html`<option value=${each} selected=${each === view}>${say(`wrong.view.${each}`)}</option>`)}<//>
    </div>
    <details open=${isMore}><summary>${say("wrong.more.filters")}</summary><div class="filters">
      ${text("sender", "wrong.sender", "wrong.sender.hint")}${text("domain", "wrong.domain")}${text("stream", "wrong.stream")}
      ${text("source", "wrong.source")}${text("identifier", "wrong.campaign", "wrong.campaign.hint")}</div></details>`;
}

function Nothing({ wanted, rate }) {
  const isFiltered = FILTERS.some((each) => wanted[each]);
  const text = !isFiltered && rate?.now ? say("wrong.none.of", { count: count(rate.now.denominator) }) : say("wrong.none", { from: writeDay(wanted.from), to: writeDay(wanted.to) });
  return html`<${Empty} action=${html`<a href=${linkTo("problems")}>${say("wrong.clear")}</a>`}>${text}<//>`;
}

// ---- What is shown -----------------------------------------------------------------------------------------------

// The same reason in the same words at the same system is one thing, whatever numbers and addresses stand in it.
function groupAlike(rows) {
  const groups = new Map();
  for (const row of rows) {
    const words = (row.text ?? "").replace(/\S+@\S+/g, "@").replace(/[\w.-]*\d[\w.-]*/g, "#").replace(/\s+/g, " ").toLowerCase().slice(0, 80);
    const where = row.system && row.system !== "other" ? row.system : domainOf(row.recipient); // a domain of its own
    const key = [row.status, row.class, row.reason, where, words].join("\n");
    if (!groups.has(key)) groups.set(key, { ...row, key, where, rows: [] });
    groups.get(key).rows.push(row);
  }
  return [...groups.values()].sort((one, other) => other.rows.length - one.rows.length);
}

const domainOf = (recipient) => bareAddress(recipient).split("@").at(-1);
const isDomain = (group) => group.where !== group.system;

function Groups({ rows, route, nameSystem }) {
  const groups = groupAlike(rows);
  const most = groups[0].rows.length;
  return html`<div class="items">${groups.slice(0, 50).map((each) => html`
    <details class="item" key=${each.key} data-item tabindex="-1">
      <summary>
        <span class="item-count">${count(each.rows.length)}<span class="meter" aria-hidden="true"><progress max=${most} value=${each.rows.length} tabindex="-1"></progress></span></span>
        <span class="item-name">${isDomain(each) ? writeOut(each.where) : nameSystem(each.system)}</span>
        <${Status} status=${each.status} klass=${each.class} />
        <span>${each.reason ? nameReason(each.reason) : say("wrong.no.reason")}</span>
        ${each.class && html`<span class="soft item-end">${say("wrong.class")}: ${say(`class.${each.class}`)}</span>`}
      </summary>
      <div class="item-body">
        <p class="quoted">${each.text ? writeOut(maskOthers(each.text, each.recipient)) : say("wrong.no.words")}</p>
        ${each.advice && html`<p>→ ${writeOut(each.advice)}</p>`}
        <p class="soft">${say("says", { source: nameSource(each.source) })}${each.remote_mta && `, ${writeOut(each.remote_mta)}`}</p>
        <div class="buttons">
          <a class="button" href=${linkTo("message", each.message, { to: each.recipient })}>${say("wrong.look")}</a>
          <a class="button" href=${linkTo("problems", "", { ...route.query, view: "rows", reason: each.reason, ...(isDomain(each) ? { domain: each.where } : { system: each.system }), status: each.status, class: each.class })}>${say("wrong.rows")}</a>
        </div>
      </div>
    </details>`)}</div>`;
}

function Rows({ rows, nameSystem }) {
  return html`<${Table} caption=${say("wrong.title")} rows=${rows.slice(0, 500)} keyOf=${(each) => `${each.message} ${each.recipient}`} columns=${[
    { name: say("wrong.when"), show: (each) => html`<a href=${linkTo("message", each.message, { to: each.recipient })}><${Moment} at=${each.at} /></a>` },
    { name: say("wrong.whom"), wide: true, show: (each) => html`<${Person} recipient=${each.recipient} />` },
    { name: say("outcome"), show: (each) => html`<${Status} status=${each.status} klass=${each.class} />` },
    { name: say("why"), show: (each) => html`<span title=${each.text && writeOut(maskOthers(each.text, each.recipient))}>${nameReason(each.reason)}</span>` },
    { name: say("wrong.system"), show: (each) => nameSystem(each.system) },
    { name: say("wrong.sender"), wide: true, show: (each) => each.sender && writeOut(each.sender) },
  ]} />`;
}

function makeFile(rows) {
  const names = ["at", "recipient", "message", "status", "class", "reason", "rule", "system", "source", "stream", "sender", "subject", "code", "enhanced_status", "text"];
  return [names, ...rows.map((each) => names.map((name) => (name === "recipient" ? bareAddress(each.recipient) : each[name])))];
}
