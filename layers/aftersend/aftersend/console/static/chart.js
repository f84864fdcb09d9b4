// Charts as SVG: bars by day on one scale, the limits as lines, how sure a bar is as a thin line. A picture for those who
// see it, one sentence for those who hear it, and a table below for all.
import { say } from "./texts.js";
import "./texts/numbers.js";
import { writeDay } from "./time.js";
import { html } from "./view.js";
import { writeShare } from "./rates.js";

const WIDTH = 320;
const HEIGHT = 132;
const LEFT = 40;
const BASE = HEIGHT - 20;
const TOP = 8;
const WIDE = 0.01; // an interval wider than this is drawn

// `days` are in their order, each with a `rate` (or null), and `scale` is the share at the top.
export function RateChart({ kind, label, days, limits, scale, today, chosen, onChoose }) {
  const place = (share) => BASE - (Math.min(share, scale) / scale) * (BASE - TOP);
  const step = (WIDTH - LEFT - 4) / days.length;
  const every = Math.max(1, Math.ceil(days.length / 4));
  return html`
    <svg class="chart" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${label}>
      <g class="axis">${[0, scale / 3, (scale * 2) / 3, scale].map((share) => html`
        <text key=${share} x=${LEFT - 5} y=${place(share) + 4} text-anchor="end">${writeTick(kind, share)}</text>`)}
        <line x1=${LEFT} x2=${WIDTH} y1=${BASE} y2=${BASE} /></g>
      ${days.map((each, at) => html`<${Bar} key=${each.day} kind=${kind} each=${each} x=${LEFT + 2 + at * step} width=${step} place=${place} scale=${scale}
        isToday=${each.day === today} isChosen=${each.day === chosen} onChoose=${onChoose} />`)}
      ${limits && html`<g class="limits"><line class="review" x1=${LEFT} x2=${WIDTH} y1=${place(limits.review)} y2=${place(limits.review)} />
        <line class="pause" x1=${LEFT} x2=${WIDTH} y1=${place(limits.pause)} y2=${place(limits.pause)} /></g>`}
      <g class="axis">${days.map((each, at) => at % every === 0 && html`
        <text key=${each.day} x=${LEFT + 2 + (at + 0.5) * step} y=${HEIGHT - 5} text-anchor=${at === 0 ? "start" : at + every >= days.length ? "end" : "middle"}>${writeDay(each.day, false)}</text>`)}</g>
    </svg>`;
}

const writeTick = (kind, share) => `${(share * 100).toFixed(kind === "complaint" ? 1 : 0)} %`;

// A day of too few messages is a tick on the base line; a bar above the scale is cut, with its value beside it.
function Bar({ kind, each, x, width, place, scale, isToday, isChosen, onChoose }) {
  const { rate } = each;
  const middle = x + width / 2;
  const hit = html`<rect class="hit" x=${x} y=${TOP} width=${width} height=${BASE - TOP} onClick=${() => onChoose?.(each.day)}><title>${sayDay(kind, each)}</title></rect>`;
  if (!rate) return hit;
  if (rate.rate === undefined) return html`<g><line class="few" x1=${middle} x2=${middle} y1=${BASE - 5} y2=${BASE} />${hit}</g>`;
  const top = place(rate.rate);
  const isOver = rate.level === "review" || rate.level === "pause";
  const isWide = rate.high - rate.low > WIDE * (scale < 0.05 ? 0.1 : 1);
  return html`
    <g class=${`bar ${isOver ? "over" : ""} ${isToday ? "today" : ""} ${isChosen ? "chosen" : ""}`}>
      <rect x=${x + width * 0.12} y=${top} width=${width * 0.76} height=${Math.max(BASE - top, rate.numerator ? 1 : 0)} />
      ${isWide && html`<line class="sure" x1=${middle} x2=${middle} y1=${place(rate.high)} y2=${place(rate.low)} />`}
      ${rate.rate > scale && html`<text class="cut" x=${middle + (middle > WIDTH * 0.75 ? -width * 0.6 : width * 0.6)} y=${TOP + 9} text-anchor=${middle > WIDTH * 0.75 ? "end" : "start"}>▲ ${writeShare(kind, rate.rate)}</text>`}
      ${hit}
    </g>`;
}

function sayDay(kind, { day, rate }) {
  if (!rate) return say("chart.day.none", { day: writeDay(day) });
  const numbers = { day: writeDay(day), part: rate.numerator.toLocaleString("en-GB"), whole: rate.denominator.toLocaleString("en-GB") };
  if (rate.rate === undefined) return say("chart.day.few", numbers);
  return say("chart.day", { ...numbers, rate: writeShare(kind, rate.rate), low: writeShare(kind, rate.low), high: writeShare(kind, rate.high) });
}

// Counts by day as bars one above the other would hide what changes below: so a row of its own for each measure.
export function CountChart({ label, days, tone = "" }) {
  const most = Math.max(1, ...days.map((each) => each.number));
  const step = (WIDTH - 4) / days.length;
  return html`
    <svg class="chart spark" viewBox=${`0 0 ${WIDTH} 40`} role="img" aria-label=${label} preserveAspectRatio="none">
      ${days.map((each, at) => {
        const height = (each.number / most) * 36;
        return html`<g key=${each.day} class=${`bar ${tone}`}><rect x=${2 + at * step + step * 0.12} y=${38 - height} width=${step * 0.76} height=${Math.max(height, each.number ? 1 : 0)}>
          <title>${`${writeDay(each.day)}: ${each.number.toLocaleString("en-GB")}`}</title></rect></g>`;
      })}
      <line class="base" x1="0" x2=${WIDTH} y1="38.5" y2="38.5" />
    </svg>`;
}
