// What went wrong, where, and whose is it? In groups of the same words first, then one by one.
import { get, Problem, useAnswer } from "../api.js";
import { useConfiguration } from "../configuration.js";
import { addCounts, makeRate, writeShare } from "../rates.js";
import { linkTo, replaceQuery } from "../router.js";
import { bareAddress, domainOf, maskOthers, writeCsv, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/feedback.js";
import "../texts/problems.js";
import { daysAgo, isoDay, writeDay } from "../time.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { Field } from "../forms.js";
import { Answered, count, Download, Empty, Moment, nameReason, nameSource, Person, ProblemNote, Status, Table } from "../parts.js";

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
  const rate = useRate(wanted);
  const view = route.query.view === "rows" ? "rows" : "groups";
  const Shown = view === "rows" ? OneByOne : InGroups;
  const nameSystem = (id) => configuration?.systems?.[id] ?? id;
  return html`
    <h1>${say("wrong.title")}</h1>
    <section>
      <p class="soft">${say("wrong.what")}</p>
      <${Filters} wanted=${wanted} route=${route} view=${view} systems=${configuration?.systems ?? {}} />
      <${Shown} key=${view} wanted=${wanted} route=${route} rate=${rate} nameSystem=${nameSystem} />
    </section>`;
}

function Tally({ number, isMore, rate }) {
  return html`
    <p class="tally">
      <span><strong>${count(number)}${isMore ? "+" : ""}</strong> ${say("wrong.tally")}</span>
      ${rate?.now && html`<span>${say("wrong.tally.of", sayRate(rate.now))}</span>`}
      ${rate?.before && html`<span class="soft">${say("wrong.tally.before", sayRate(rate.before))}</span>`}
    </p>`;
}

// Both days are whole: what is asked for ends with the day after the last one.
function makeQuery(wanted) {
  const asked = Object.fromEntries(FILTERS.map((each) => [each, wanted[each]]));
  return { ...asked, from: `${wanted.from}T00:00:00Z`, to: new Date(Date.parse(wanted.to) + DAY).toISOString().replace(".000", "") };
}

const sayRate = (each) => ({ part: count(each.numerator), whole: each.rate === undefined ? count(each.denominator) : `${count(each.denominator)} (${writeShare("bounce", each.rate)})` });

function OneByOne({ wanted, rate, nameSystem }) {
  const search = useSearch(wanted);
  const { rows, isBusy, problem, backTo, next } = search;
  return html`
    <${Tally} number=${rows.length} isMore=${next} rate=${rate} />
    ${problem && html`<${ProblemNote} problem=${problem} onRetry=${search.more} />`}
    ${rows.length > 0 && html`<${Rows} rows=${rows} nameSystem=${nameSystem} />`}
    ${isBusy && html`<div class="buttons" role="status"><span>${say("wrong.searching")} ${backTo ? html`<${Moment} at=${backTo} />` : writeDay(wanted.to)} …</span>
      <button type="button" onClick=${search.stop}>${say("stop")}</button></div>`}
    ${!isBusy && !problem && rows.length === 0 && html`<${Nothing} wanted=${wanted} rate=${rate} />`}
    <div class="buttons">
      ${!isBusy && next && html`<button type="button" onClick=${search.more}>${say("more.rows")}</button><span class="soft">${say("wrong.newest", { count: count(rows.length) })} <${Moment} at=${backTo} /></span>`}
      ${rows.length > 0 && html`<${Download} name="went-wrong.csv" label=${say("wrong.csv")} content=${() => writeCsv(makeFile(rows))} />`}
    </div>`;
}

// ---- What is asked -----------------------------------------------------------------------------------------------

// Page after page until there is enough to look at: one may be empty and still have a next.
function useSearch(wanted) {
  const [state, setState] = useState({ rows: [], isBusy: true });
  const mine = useRef(0);
  const query = { ...makeQuery(wanted), limit: PAGE };
  const question = JSON.stringify(query);
  const look = async (rows, cursor, backTo) => {
    const turn = ++mine.current;
    const isMine = () => mine.current === turn;
    let [found, next, reached] = [rows, cursor, backTo];
    const enough = rows.length + ENOUGH;
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

// The same reason in the same words at the same system is one thing, and stands here once, however often it came.
function InGroups({ wanted, route, rate, nameSystem }) {
  const query = makeQuery(wanted);
  const answer = useAnswer(() => get("problems", query), [JSON.stringify(query)]);
  return html`<${Answered} answer=${answer}>${({ groups, counted, complete, looked_back_to: backTo }) => html`
    <${Tally} number=${counted} isMore=${!complete} rate=${rate} />
    ${groups.length === 0 && html`<${Nothing} wanted=${wanted} rate=${rate} />`}
    ${groups.length > 0 && html`<div class="items">${groups.map((each, at) => html`<${Group} key=${at} group=${each} most=${groups[0].count} route=${route} nameSystem=${nameSystem} />`)}</div>`}
    ${!complete && html`<p class="soft">${say("wrong.newest", { count: count(counted) })} <${Moment} at=${backTo} /></p>`}`}<//>`;
}


function Group({ group, most, route, nameSystem }) {
  const { example } = group;
  const isKnown = group.system && group.system !== "other"; // of others, the domain says more
  const alike = { view: "rows", reason: group.reason, status: group.status, class: group.class, system: group.system };
  return html`
    <details class="item" data-item tabindex="-1">
      <summary>
        <span class="item-count">${group.sampled ? "≈ " : ""}${count(group.count)}<svg class="meter" viewBox="0 0 48 6" width="48" height="6" aria-hidden="true"><rect class="all" width="48" height="6" rx="3" /><rect width=${(48 * group.count) / most} height="6" rx="3" /></svg></span>
        <span class="item-name">${nameSystem(group.system || "other")}</span>
        ${!isKnown && html`<span class="soft">${say("wrong.such.as", { domain: writeOut(domainOf(example.recipient)) })}</span>`}
        <${Status} status=${group.status} klass=${group.class} />
        <span>${group.reason ? nameReason(group.reason) : say("wrong.no.reason")}</span>
        <span class="soft item-end">${say("wrong.whose")} ${say(`whose.${group.whose}`)}</span>
      </summary>
      <div class="item-body">
        <p class="quoted">${example.text ? writeOut(maskOthers(example.text, example.recipient)) : say("wrong.no.words")}</p>
        ${group.advice && html`<p>→ ${writeOut(group.advice)}</p>`}
        <p class="soft"><${Moment} at=${group.first_at} /> – <${Moment} at=${group.last_at} />, ${say("says", { source: nameSource(example.source) })}</p>
        <div class="buttons">
          <a class="button" href=${linkTo("message", example.message, { to: example.recipient })}>${say("wrong.look")}</a>
          <a class="button" href=${linkTo("problems", "", { ...route.query, ...alike })}>${say("wrong.rows")}</a>
        </div>
      </div>
    </details>`;
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
