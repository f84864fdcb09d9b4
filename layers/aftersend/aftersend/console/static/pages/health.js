// Which alarms ring, and when each source was last heard of: what the page of operations begins with.
import { get, Problem } from "../api.js";
import { linkTo } from "../router.js";
import { writeOut } from "../safe.js";
import { say, sayCount } from "../texts.js";
import "../texts/health.js";
import { daysAgo, isoDay, writeDay } from "../time.js";
import { html, useEffect, useState } from "../view.js";
import { Badge, count, Empty, Moment, nameSource, Section, Table } from "../parts.js";

const DAYS = 30;

export function Alarms({ alarms }) {
  return html`
    <${Section} title=${say("health.alarms")}>
      ${!alarms && html`<${Empty}>${say("health.alarms.unknown")}<//>`}
      ${alarms && html`
        <p class="soft">${alarms.ringing.length === 0 && say("health.alarms.none", { all: count(alarms.watched) })} ${alarms.without_data > 0 && sayCount("health.alarms.no.data", alarms.without_data)}</p>
        ${alarms.ringing.length > 0 && html`<${Table} caption=${say("health.alarms")} rows=${alarms.ringing} keyOf=${(each) => each.name} columns=${[
          { name: say("health.alarm"), show: (each) => html`<${Badge} tone="stop">${each.name}<//>` },
          { name: say("health.since"), show: (each) => html`<${Moment} at=${each.since} distance />` },
          { name: say("health.meaning"), wide: true, show: (each) => writeOut(each.meaning) },
        ]} />`}`}
    <//>`;
}

// The last day on which a message was first heard of, from the counters: one question, however many sources there are.
export function Sources() {
  const [found, setFound] = useState(null);
  useEffect(() => {
    let isWanted = true;
    readSources().then((lines) => isWanted && setFound(lines));
    return () => { isWanted = false; };
  }, []);
  if (!found) return null;
  return html`
    <${Section} title=${say("health.sources")}>
      <p class="soft">${say("health.sources.what", { days: DAYS })}</p>
      ${found.length === 0
        ? html`<${Empty}>${say("health.sources.none", { days: DAYS })}<//>`
        : html`<${Table} caption=${say("health.sources")} rows=${found} keyOf=${(each) => each.source} columns=${[
          { name: say("health.source"), show: (each) => nameSource(each.source) },
          { name: say("health.last"), show: (each) => (each.day === isoDay(Date.now()) ? say("health.today") : writeDay(each.day)) },
          { name: say("health.messages"), number: true, show: (each) => html`<a href=${linkTo("numbers", "", { by: "source" })}>${count(each.messages)}</a>` },
        ]} />`}
    <//>`;
}

async function readSources() {
  try {
    const { days } = await get("statistics", { by: "source", from: daysAgo(DAYS - 1), to: isoDay(Date.now()) });
    const latest = new Map();
    for (const each of days) {
      const messages = Object.values(each.counts).reduce((sum, number) => sum + number, 0);
      if (messages && (latest.get(each.value)?.day ?? "") <= each.day) latest.set(each.value, { source: each.value, day: each.day, messages });
    }
    return [...latest.values()].sort((one, other) => other.day.localeCompare(one.day) || other.messages - one.messages);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return null; // a stack that does not count knows no day
  }
}
