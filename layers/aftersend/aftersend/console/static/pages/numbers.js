// How are we doing: rates by day and by whoever receives, never without their numbers, and what lies behind them.
import { get, useAnswer } from "../api.js";
import { CountChart, RateChart } from "../chart.js";
import { useConfiguration } from "../configuration.js";
import { addCounts, makeRate, writeShare } from "../rates.js";
import { linkTo, replaceQuery } from "../router.js";
import { writeCsv, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/feedback.js";
import "../texts/numbers.js";
import { daysAgo, isoDay, listDays, writeDay } from "../time.js";
import { html } from "../view.js";
import { Field } from "../forms.js";
import { Answered, Badge, count, Download, Empty, Moment, nameReason, nameSource, Section, Table, Tally } from "../parts.js";

const DIMENSIONS = ["system", "stream", "sender", "campaign", "source", "all"];
const SPANS = [7, 14, 30, 90];
const SHOWN = 11; // charts of their own; all others are one
const SCALES = { bounce: 0.15, complaint: 0.009, block: 0.15 };

export function NumbersPage({ route }) {
  const { from, to, by, span } = readWanted(route.query);
  const answer = useAnswer(() => readNumbers(from, to, by), [from, to, by]);
  const configuration = useConfiguration();
  return html`
    <h1>${say("numbers.title")}</h1>
    <${Filters} route=${route} by=${by} span=${span} from=${from} to=${to} />
    <${Answered} answer=${answer}>${(found) => {
      if (found.isOff) return html`<${Empty}>${say("numbers.off")}<//>`;
      if (!found.numbers.days.length) return html`<${Empty}>${say("numbers.none")}<//>`;
      return html`<${Numbers} found=${found} by=${by} days=${listDays(from, to)} route=${route} configuration=${configuration} />`;
    }}<//>`;
}

function readWanted({ from, to, by = "system", days = "14" }) {
  const span = SPANS.includes(Number(days)) ? Number(days) : 14;
  const isOwn = /^\d{4}-\d\d-\d\d$/.test(from ?? "") && /^\d{4}-\d\d-\d\d$/.test(to ?? "");
  return {
    by: DIMENSIONS.includes(by) ? by : "system", span: isOwn ? "own" : span,
    from: isOwn ? from : daysAgo(span - 1), to: isOwn ? to : isoDay(Date.now()),
  };
}

async function readNumbers(from, to, by) {
  try {
    const [numbers, all, reasons] = await Promise.all([
      get("statistics", { from, to, by }), by === "all" ? null : get("statistics", { from, to, by: "all" }), get("statistics", { from, to, by: "reason" }),
    ]);
    return { numbers, all: all ?? numbers, reasons };
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    return { isOff: true };
  }
}

function Filters({ route, by, span, from, to }) {
  const isOwn = span === "own";
  return html`
    <div class="filters">
      <${Field} kind="select" label=${say("numbers.by")} value=${by} onChange=${(event) => replaceQuery(route, { by: event.target.value })}>
        ${DIMENSIONS.map((each) => html`<option value=${each} selected=${each === by}>${say(`numbers.by.${each}`)}</option>`)}<//>
      <${Field} kind="select" label=${say("numbers.days")} value=${span} onChange=${(event) => replaceQuery(route, { days: event.target.value, from: "", to: "" })}>
        ${isOwn && html`<option value="own" selected>${say("numbers.days.own", { from: writeDay(from), to: writeDay(to) })}</option>`}
        ${SPANS.map((each) => html`<option value=${each} selected=${each === span}>${say(`numbers.days.${each}`)}</option>`)}<//>
      ${isOwn && html`<button type="button" onClick=${() => replaceQuery(route, { from: "", to: "" })}>${say("numbers.zoom.out")}</button>`}
    </div>`;
}

function Numbers({ found, by, days, route, configuration }) {
  const { numbers, all, reasons } = found;
  const name = (value, given) => given ?? { system: configuration?.systems?.[value], source: nameSource(value) }[by] ?? value;
  const series = [
    { value: "", name: say("numbers.all"), days: byDay(all.days) },
    ...(by === "all" ? [] : splitSmall(numbers, name)),
  ];
  return html`
    <${Overview} counts=${addCounts(all.days.map((each) => each.counts))} />
    <p class="soft">${say("numbers.utc")}${numbers.recounted_at && html` ${say("numbers.recounted")}: <${Moment} at=${numbers.recounted_at} />.`}</p>
    <div class="buttons"><${Download} name="numbers.csv" label=${say("numbers.csv")} content=${() => makeFile(numbers, by)} /></div>
    ${["bounce", "complaint", "block"].map((kind) => html`<${Rates} key=${kind} kind=${kind} series=${series} days=${days} limits=${numbers.limits[kind]} route=${route} />`)}
    <${Reasons} reasons=${reasons} days=${days} route=${route} />`;
}

function Overview({ counts }) {
  const messages = ["sent", "deferred", "expired", "delivered", "rejected", "complained"].reduce((sum, each) => sum + (counts[each] ?? 0), 0)
    + Object.entries(counts).filter(([each]) => each.startsWith("bounced_")).reduce((sum, [, number]) => sum + number, 0);
  const shown = [["messages", messages], ["delivered", (counts.delivered ?? 0) + (counts.complained ?? 0)], ["refused", counts.bounced_hard], ["complained", counts.complained], ["block", counts.bounced_block]];
  return html`<${Tally} counts=${shown.map(([each, number]) => [number ?? 0, say(`numbers.tally.${each}`)])} />`;
}

const byDay = (lines) => new Map(lines.map((each) => [each.day, each.counts]));

// The largest have a chart of their own; what is left over is one, so that nothing is missing.
function splitSmall(numbers, name) {
  const kept = numbers.totals.filter((each) => each.value !== "other").slice(0, SHOWN);
  const values = new Set(kept.map((each) => each.value));
  const rest = numbers.totals.filter((each) => !values.has(each.value));
  const shown = kept.map((each) => ({ value: each.value, name: name(each.value, each.name), days: byDay(numbers.days.filter((line) => line.value === each.value)) }));
  if (!rest.length) return shown;
  const days = new Map();
  for (const line of numbers.days.filter((each) => !values.has(each.value))) days.set(line.day, addCounts([days.get(line.day) ?? {}, line.counts]));
  const others = rest.length === 1 ? name(rest[0].value, rest[0].name) : say("numbers.others", { count: count(rest.length) });
  return [...shown, { value: "other", name: others, days }];
}

function Rates({ kind, series, days, limits, route }) {
  const given = limits && { review: writeShare(kind, limits.review), pause: writeShare(kind, limits.pause), floor: count(limits.floor) };
  const made = series.map((each) => ({ ...each, total: makeRate(kind, addCounts(each.days.values()), limits) })).filter((each) => each.total?.denominator);
  const [all, ...others] = made;
  if (!all || (kind === "block" && !all.total.numerator)) return null;
  const some = others.filter((each) => each.total.numerator).sort((one, other) => other.total.numerator - one.total.numerator);
  const none = others.filter((each) => !each.total.numerator);
  return html`
    <${Section} title=${say(`rate.${kind}`)}>
      <p class="soft">${say(`rate.${kind}.what`, given)}</p>
      <div class="multiples">${[all, ...some].map((each) => html`<${Multiple} key=${each.value} kind=${kind} each=${each} days=${days} limits=${limits} route=${route} />`)}</div>
      ${none.length > 0 && html`<p class="soft">${say("rate.none")} ${none.map((each) => `${writeOut(each.name)} (${say("rate.caption.zero", { whole: count(each.total.denominator) })})`).join(", ")}</p>`}
    <//>`;
}

function Multiple({ kind, each, days, limits, route }) {
  const lines = days.map((day) => ({ day, rate: makeRate(kind, each.days.get(day) ?? {}, limits) }));
  const caption = captionOf(kind, each.total, lines);
  const level = each.total.level;
  return html`
    <figure class="multiple">
      <figcaption><h3>${writeOut(each.name)}</h3><p>${caption}${" "}
        ${(level === "review" || level === "pause") && html`<${Badge} tone="stop">${say(`rate.over.${level}`)}<//>`}</p></figcaption>
      <${RateChart} kind=${kind} label=${`${each.name}: ${caption}`} days=${lines} limits=${limits} scale=${SCALES[kind]} today=${isoDay(Date.now())} onChoose=${(day) => zoom(route, day, days)} />
      <details><summary>${say("chart.table")}<span class="unseen">${` ${each.name}`}</span></summary>
        <${Table} caption=${each.name} rows=${lines.filter((line) => line.rate)} columns=${[
          { name: say("chart.column.day"), show: (line) => writeDay(line.day) },
          { name: say("chart.column.part"), number: true, show: (line) => count(line.rate.numerator) },
          { name: say("chart.column.whole"), number: true, show: (line) => count(line.rate.denominator) },
          { name: say("chart.column.rate"), number: true, show: (line) => (line.rate.rate === undefined || !line.rate.numerator ? "" : writeShare(kind, line.rate.rate)) },
        ]} />
      </details>
    </figure>`;
}

// From all days to the day and its neighbours; from there to what went wrong on it.
function zoom(route, day, days) {
  if (days.length <= 3) location.hash = linkTo("problems", "", { from: day, to: day });
  else replaceQuery(route, { from: isoDay(Date.parse(day) - 86_400_000), to: isoDay(Math.min(Date.parse(day) + 86_400_000, Date.now())) });
}

function captionOf(kind, total, lines) {
  const numbers = { part: count(total.numerator), whole: count(total.denominator) };
  if (!total.numerator) return say("rate.caption.zero", numbers);
  const rated = lines.filter((each) => each.rate?.rate !== undefined);
  if (total.rate === undefined) return say("rate.caption.few", numbers);
  const rate = writeShare(kind, total.rate);
  if (rated.length < 2) return say(rated.length ? "rate.caption" : "rate.caption.days", { ...numbers, rate });
  const worst = rated.reduce((one, other) => (other.rate.rate > one.rate.rate ? other : one));
  return say("rate.caption.worst", { ...numbers, rate, worst: writeShare(kind, worst.rate.rate), day: writeDay(worst.day, false) });
}

// ---- Why ---------------------------------------------------------------------------------------------------------

function Reasons({ reasons, days, route }) {
  const rows = reasons.totals.map((each) => ({ ...each, number: Object.entries(each.counts).filter(([name]) => !["opened", "opens", "clicked", "clicks"].includes(name)).reduce((sum, [, number]) => sum + number, 0) }))
    .filter((each) => each.value.includes("/")).sort((one, other) => other.number - one.number);
  if (!rows.length) return null;
  const { from, to } = route.query;
  return html`
    <${Section} title=${say("numbers.reasons")}>
      <p class="soft">${say("numbers.reasons.what")}</p>
      <${Table} caption=${say("numbers.reasons")} rows=${rows} keyOf=${(each) => each.value} columns=${[
        { name: say("numbers.reason"), show: (each) => nameReason(each.value.split("/")[1]) },
        { name: say("numbers.whose"), show: (each) => say(`class.${each.value.split("/")[0]}`) },
        { name: say("numbers.count"), number: true, show: (each) => count(each.number) },
        { name: say("numbers.trend"), show: (each) => html`<${Trend} each=${each} lines=${reasons.days} days=${days} />` },
        { name: say("numbers.wrong"), show: (each) => html`<a href=${linkTo("problems", "", { reason: each.value.split("/")[1], from: from ?? days[0], to: to ?? days.at(-1) })}>${say("details.open")}<span class="unseen">${` ${nameReason(each.value.split("/")[1])}`}</span></a>` },
      ]} />
    <//>`;
}

function Trend({ each, lines, days }) {
  const numbers = new Map(lines.filter((line) => line.value === each.value).map((line) => [line.day, Object.values(line.counts).reduce((sum, number) => sum + number, 0)]));
  const label = days.filter((day) => numbers.get(day)).map((day) => `${writeDay(day, false)}: ${numbers.get(day)}`).join(", ");
  return html`<${CountChart} label=${label} days=${days.map((day) => ({ day, number: numbers.get(day) ?? 0 }))} />`;
}

function makeFile(numbers, by) {
  const measures = [...new Set(numbers.days.flatMap((each) => Object.keys(each.counts)))];
  return writeCsv([["day", by, ...measures], ...numbers.days.map((each) => [each.day, each.value, ...measures.map((measure) => each.counts[measure] ?? 0)])]);
}
