// Is anything stuck, why, and the way back to work; texts that no rule knows; how the stack is set up.
import { ask, get, part, Problem, useAnswer } from "../api.js";
import { useConfiguration } from "../configuration.js";
import { whyNot } from "../rights.js";
import { writeOut } from "../safe.js";
import { say, sayCount } from "../texts.js";
import "../texts/deciding.js";
import "../texts/operations.js";
import { html, useState } from "../view.js";
import { DecisionForm, Dialog } from "../forms.js";
import { Alarms, Sources } from "./health.js";
import {
  announce, Answered, Badge, count, Empty, Lazy, Moment, nameSource, ProblemNote, Quote, Section, Sign, Table,
} from "../parts.js";

export function OperationsPage() {
  const status = useAnswer(() => get("status"), []);
  const letters = useAnswer(() => get("dead-letters"), []);
  const [dialog, setDialog] = useState(null);
  const done = () => {
    setDialog(null);
    status.reload();
    letters.reload();
  };
  return html`
    <h1>${say("ops.title")}</h1>
    <${Answered} answer=${status}>${(found) => html`<${Summary} status=${found} /><${Alarms} alarms=${found.alarms} /><${Sources} sources=${found.sources} />`}<//>
    <${Section} title=${say("ops.letters")}>
      <p class="soft">${say("ops.letters.what")}</p>
      <${Answered} answer=${letters}>${(found) => html`<${Letters} queues=${found.queues} open=${setDialog} />`}<//>
    <//>
    <${Answered} answer=${status}>${(found) => html`<${Queues} queues=${found.queues} />`}<//>
    <${Unmatched} open=${setDialog} />
    <${SetUp} />
    ${dialog?.queue && html`<${RedriveDialog} ...${dialog} onDone=${done} onClose=${() => setDialog(null)} />`}
    ${dialog?.rule && html`<${Lazy} name="RuleDialog" from=${() => import("./rule.js")} text=${dialog.rule} source=${dialog.source} onClose=${() => setDialog(null)} />`}`;
}

const sizeOf = (queue) => queue.waiting + queue.hidden + queue.delayed;

function Summary({ status }) {
  const lying = status.unreadable + status.dead_letters.reduce((sum, each) => sum + sizeOf(each), 0);
  const ringing = status.alarms?.ringing.length ?? 0;
  const tone = lying || ringing ? "warn" : "go";
  return html`<article class=${`answer answer-${tone}`}><p class="verdict"><strong><${Sign} tone=${tone} /> ${lying ? sayCount("ops.lying", lying) : say("ops.well")}</strong></p>
    ${ringing > 0 && html`<p><strong>${sayCount("ops.ringing", ringing)}</strong></p>`}
    <p class="soft">${say("check.at")} <${Moment} at=${status.asked_at} /></p></article>`;
}

function Queues({ queues }) {
  const busy = queues.filter(sizeOf);
  return html`
    <${Section} title=${say("ops.queues")}>
      ${busy.length > 0 && html`<${Table} caption=${say("ops.queues")} rows=${busy} keyOf=${(each) => each.name} columns=${[
        { name: say("ops.queue"), show: (each) => each.name },
        ...["waiting", "hidden", "delayed"].map((name) => ({ name: say(`ops.${name}`), number: true, show: (each) => count(each[name]) })),
      ]} />`}
      ${queues.length > busy.length && html`<p class="soft">${say("ops.queues.idle", { count: count(queues.length - busy.length) })}</p>`}
    <//>`;
}

// ---- What nobody works -------------------------------------------------------------------------------------------

function Letters({ queues, open }) {
  const lying = queues.filter((each) => each.messages);
  if (!lying.length) return html`<${Empty}>${say("ops.letters.none")}<//>`;
  return html`<div class="items">${lying.map((each) => html`<${IdleQueue} key=${each.name} queue=${each} open=${open} />`)}</div>`;
}

function IdleQueue({ queue, open }) {
  const [seen, setSeen] = useState(null);
  const [problem, setProblem] = useState(null);
  const [picked, setPicked] = useState([]);
  const back = queue.goes_back_to;
  const look = async () => {
    setProblem(null);
    try {
      setSeen(await get(`dead-letters/${part(queue.name)}`, { limit: 20 }));
    } catch (failed) {
      if (!(failed instanceof Problem)) throw failed;
      setProblem(failed);
    }
  };
  const pick = (id) => (event) => setPicked(event.target.checked ? [...picked, id] : picked.filter((each) => each !== id));
  const mayBulk = back && !whyNot("bulk");
  return html`
    <details class="item" open data-item tabindex="-1">
      <summary><span class="item-name">${queue.name}</span><${Badge} tone="warn">${sayCount("ops.count", queue.messages)}<//>${back && html`<span class="soft item-end">${say("ops.back.to", { queue: back })}</span>`}</summary>
      <div class="item-body">
        ${problem && html`<${ProblemNote} problem=${problem} onRetry=${look} />`}
        ${seen && seen.shown.length === 0 && html`<${Empty}>${say("ops.look.none")}<//>`}
        ${seen?.shown.length > 0 && html`<p class="soft">${say("ops.look.what")}</p>
          <${Table} caption=${queue.name} rows=${seen.shown} keyOf=${(each) => each.id} detailOf=${(each) => html`<${Quote} text=${each.excerpt} label=${say("ops.begins")} />`} columns=${[
            { name: say("ops.source"), show: (each) => (each.source ? nameSource(each.source) : "") },
            { name: say("ops.reason"), show: (each) => writeOut(each.reason ?? say("ops.reason.often")) },
            { name: say("ops.sent"), show: (each) => html`<${Moment} at=${each.sent_at} />` },
            { name: say("ops.receives"), number: true, show: (each) => count(each.receives) },
            mayBulk && { name: say("ops.pick"), show: (each) => html`<input type="checkbox" aria-label=${`${say("ops.pick")} ${each.id.slice(0, 8)}`} checked=${picked.includes(each.id)} disabled=${picked.length >= 10 && !picked.includes(each.id)} onChange=${pick(each.id)} />` },
          ]} />`}
        <div class="buttons">
          <button type="button" onClick=${look}>${say(seen ? "ops.look.again" : "ops.look")}</button>
          ${mayBulk && html`<button type="button" onClick=${() => open({ queue, picked })}>${picked.length ? say("ops.redrive.some", { count: picked.length }) : say("ops.redrive")}</button>`}
        </div>
      </div>
    </details>`;
}

// Some by their ids at once; all in helpings, until nothing is left or nothing moves any more.
function RedriveDialog({ queue, picked, onDone, onClose }) {
  const [problem, setProblem] = useState(null);
  const [moved, setMoved] = useState(0);
  const send = async () => {
    let [sum, answer] = [0, null];
    try {
      do {
        ({ data: answer } = await ask("POST", `dead-letters/${part(queue.name)}/redrive`, { body: { messages: picked.length ? picked : "all" } }));
        sum += answer.moved;
        setMoved(sum);
      } while (!picked.length && answer.left && answer.moved);
      announce(say("ops.redrive.done", { count: count(sum), queue: answer.goes_back_to }));
      onDone();
    } catch (failed) {
      if (!(failed instanceof Problem)) throw failed;
      setProblem(failed);
    }
  };
  return html`
    <${Dialog} title=${say("ops.redrive.title", { queue: queue.name })} onClose=${onClose}>
      <p>${say("ops.redrive.what")}</p>
      ${moved > 0 && html`<p role="status"><progress max=${Math.max(queue.messages, moved)} value=${moved} aria-label=${say("ops.redrive.do")}></progress> ${count(moved)}</p>`}
      <${DecisionForm} send=${send} action=${say("ops.redrive.do")} onClose=${moved ? onDone : onClose} problem=${problem} />
    <//>`;
}

// ---- Texts that no rule knows ------------------------------------------------------------------------------------

function Unmatched({ open }) {
  const answer = useAnswer(() => get("unmatched", { limit: 50 }), []);
  return html`
    <${Section} title=${say("ops.unmatched")}>
      <p class="soft">${say("ops.unmatched.what")}</p>
      <${Answered} answer=${answer}>${({ texts }) => texts.length === 0
        ? html`<${Empty}>${say("ops.unmatched.none")}<//>`
        : html`<${Table} caption=${say("ops.unmatched")} rows=${texts} columns=${[
          { name: say("ops.text"), wide: true, show: (each) => html`<code>${writeOut(each.example)}</code>` },
          { name: say("ops.seen"), number: true, show: (each) => `${count(each.seen)}${each.seen >= 100 ? "+" : ""}` },
          { name: say("ops.source"), show: (each) => nameSource(each.source) },
          { name: say("ops.first"), show: (each) => html`<${Moment} at=${each.first_at} />` },
          { name: say("ops.rule.column"), show: (each) => html`<button type="button" class="link" onClick=${() => open({ rule: each.example, source: each.source })}>${say("ops.rule")}</button>` },
        ]} />`}<//>
    <//>`;
}

// ---- How it is set up --------------------------------------------------------------------------------------------

function SetUp() {
  const found = useConfiguration();
  if (!found) return null;
  const rows = [
    ["ops.version", found.version], ["ops.stack", found.stack], ["ops.region", found.region],
    ["ops.retention", say("ops.retention.days", { count: count(found.retention_days) })],
    ["ops.ses.list", say(found.syncs_ses_list ? "ops.ses.list.yes" : "ops.ses.list.no")],
    ["ops.streams", found.streams.map(writeOut).join(", ") || say("ops.streams.none")],
  ];
  return html`
    <${Section} title=${say("ops.set.up")}>
      <dl class="facts-list">${rows.map(([name, value]) => html`<div key=${name}><dt>${say(name)}</dt><dd>${value}</dd></div>`)}</dl>
      <details><summary>${say("ops.policy")}</summary><pre class="code" tabindex="0">${JSON.stringify(found.policy, null, 2)}</pre></details>
    <//>`;
}
