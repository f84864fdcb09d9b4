// What was heard of one message to one recipient, in the order of time, and which of it decides.
import { writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/feedback.js";
import { writeMoment } from "../time.js";
import { html } from "../view.js";
import { Badge, Moment, namePerson, nameReason, nameSource, Quote } from "../parts.js";

export function FeedbackList({ outcome }) {
  const heard = [...outcome.feedback].sort((one, other) => (one.at < other.at ? -1 : 1));
  const saturated = outcome.saturated ?? [];
  return html`
    <ol class="timeline">
      ${heard.map((each) => html`
        <li key=${each.id} class=${each.decided ? "decides" : ""}>
          <p class="timeline-head">
            <time datetime=${each.at} title=${writeMoment(each.at, { inUtc: true, seconds: true })}>${writeMoment(each.at, { seconds: true })}</time>
            <strong>${say(`kind.${each.kind}`)}</strong>
            <span class="soft">${say("says", { source: nameSource(each.source) })}</span>
            ${each.decided && html`<${Badge} tone="note">${say("decides")}<//>`}
            ${each.unproven && html`<${Badge} tone="warn">${say("unproven")}<//>`}
          </p>
          ${each.evidence?.text && html`<${Quote} text=${each.evidence.text} own=${outcome.recipient} />`}
          ${each.verdict && html`<p><span>${say(`class.${each.verdict.class}`)}: ${nameReason(each.verdict.reason)}</span>${" "}
            <span class="soft">${say("rule")} <code>${each.verdict.rule}</code></span><br />→ ${writeOut(each.verdict.advice)}</p>`}
          <${Technical} fact=${each} />
        </li>`)}
    </ol>
    <p class="next"><strong>${say("next")}</strong> ${sayNext(outcome)}${outcome.write_again_at && html` ${say("next.again")} <${Moment} at=${outcome.write_again_at} distance />`}</p>
    ${saturated.length > 0 && html`<p class="soft">${say("saturated", { kinds: saturated.map((each) => say(each === "correlation" ? "correlation" : `kind.${each}`)).join(", ") })}</p>`}
    ${outcome.resolved && html`<p>${say("looked", { who: namePerson(outcome.resolved.by), note: writeOut(outcome.resolved.note ?? "") })} <${Moment} at=${outcome.resolved.at} /></p>`}`;
}

function sayNext({ status, verdict, due_at: due }) {
  if (status === "sent" || status === "deferred") return say(due ? "next.waits.until" : "next.waits", { due: due ? writeMoment(due) : "" });
  if (status === "bounced") return say(verdict?.class === "hard" ? "next.never" : "next.given.up");
  return say(`next.${status}`);
}

// For those who need it: what the provider called it, codes, and ids.
function Technical({ fact }) {
  const { evidence = {} } = fact;
  const rows = [
    ...Object.entries(evidence).filter(([name, value]) => name !== "text" && value !== null && value !== "" && typeof value !== "object"),
    ["feedback", fact.id],
    ...(fact.received_as ? [["received_as", fact.received_as]] : []),
    ...(fact.scope ? [["stream", fact.scope]] : []),
    ...(fact.engagement?.machine ? [["machine", say("machine")]] : []),
  ];
  return html`
    <details class="technical"><summary>${say("technical")}</summary>
      <dl>${rows.map(([name, value]) => html`<div key=${name}><dt>${name.replaceAll("_", " ")}</dt><dd>${writeOut(String(value))}</dd></div>`)}</dl>
    </details>`;
}
