// Which alarms ring, and when each source was last heard of: what the page of operations begins with.
import { writeOut } from "../safe.js";
import { say, sayCount } from "../texts.js";
import "../texts/health.js";
import { html } from "../view.js";
import { Badge, count, Empty, Moment, nameSource, Section, Table } from "../parts.js";

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

export function Sources({ sources }) {
  return html`
    <${Section} title=${say("health.sources")}>
      ${sources?.length > 0
        ? html`<p class="soft">${say("health.sources.what")}</p>
          <${Table} caption=${say("health.sources")} rows=${sources} keyOf=${(each) => each.source} columns=${[
            { name: say("health.source"), show: (each) => nameSource(each.source) },
            { name: say("health.last"), show: (each) => html`<${Moment} at=${each.last_at} distance />` },
          ]} />`
        : html`<${Empty}>${say(sources ? "health.sources.none" : "health.sources.unknown")}<//>`}
    <//>`;
}
