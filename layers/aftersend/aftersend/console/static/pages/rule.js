// A rule of one's own out of a text that no rule knows, to copy into the document of rules.
import { ask, Problem } from "../api.js";
import { say } from "../texts.js";
import "../texts/feedback.js";
import "../texts/review.js";
import { html, useEffect, useState } from "../view.js";
import { Dialog, Field } from "../forms.js";
import { CopyButton, nameReason } from "../parts.js";

const REASONS = [
  "user_unknown", "invalid_address", "invalid_domain", "mailbox_disabled", "mailbox_full", "recipient_refused", "message_too_large",
  "greylisted", "rate_limited", "system_error", "blocked", "auth_failed", "relay_denied", "sender_rejected", "spam_content",
  "policy_rejected", "content_rejected",
];
const CLASSES = ["hard", "soft", "block", "ignore"];

export function RuleDialog({ text, onClose }) {
  const [given, setGiven] = useState({ text: suggestPattern(text), reason: "user_unknown", klass: "", id: "mine" });
  const take = (name) => (event) => setGiven({ ...given, [name]: event.target.value });
  const toml = writeRule(given, text);
  return html`
    <${Dialog} title=${say("rule.title")} onClose=${onClose}>
      <p>${say("rule.what")}</p>
      <${Field} label=${say("rule.text")} value=${given.text} onInput=${take("text")} spellcheck=${false} />
      <${Field} kind="select" label=${say("rule.reason")} value=${given.reason} onChange=${take("reason")}>
        ${REASONS.map((each) => html`<option value=${each}>${say(`reason.${each}`)}</option>`)}<//>
      <${Field} kind="select" label=${say("rule.class")} value=${given.klass} onChange=${take("klass")}>
        <option value="">${say("rule.class.usual")}</option>${CLASSES.map((each) => html`<option value=${each}>${say(`class.${each}`)}</option>`)}<//>
      <${Field} label=${say("rule.id")} value=${given.id} onInput=${take("id")} spellcheck=${false} />
      <pre class="code" tabindex="0" aria-label=${say("rule.toml")}>${toml}</pre>
      <${Verdict} text=${text} />
      <div class="buttons"><button type="button" onClick=${onClose}>${say("close")}</button><${CopyButton} label=${say("rule.copy")} text=${() => toml} /></div>
    <//>`;
}

// What the same text means by the rules that hold today: another rule may have come since it was stored.
function Verdict({ text }) {
  const [verdict, setVerdict] = useState(null);
  useEffect(() => {
    ask("POST", "classify", { body: { source: "report", refusal: { text } } }).then(
      ({ data }) => setVerdict(data.feedback[0]?.verdict),
      (problem) => { if (!(problem instanceof Problem)) throw problem; },
    );
  }, [text]);
  if (!verdict) return null;
  const said = verdict.class === "undetermined" ? say("rule.now.unknown") : `${say(`class.${verdict.class}`)}: ${nameReason(verdict.reason)} (${verdict.rule})`;
  return html`<p class="soft" role="status">${say("rule.now")} ${said}</p>`;
}

// The words alone: codes, numbers, addresses and what stands in brackets differ from one refusal to the next.
export function suggestPattern(text) {
  const words = text.toLowerCase().replace(/\[[^\]]*\]|<[^>]*>|\S+@\S+/g, " * ").replace(/[^\p{L}*' ]+/gu, " ").trim().split(/\s+/);
  const kept = words.filter((each, at) => each !== "*" || (at > 0 && at < words.length - 1 && words[at - 1] !== "*"));
  return kept.slice(0, 8).join(" ");
}

const quoted = (text) => JSON.stringify(text.replaceAll("\u007f", ""));

export function writeRule({ id, text, reason, klass }, example) {
  return [
    "[[rule]]", `id = ${quoted(id)}`, `when.text = [${quoted(text)}]`, `then.reason = ${quoted(reason)}`,
    ...(klass ? [`then.class = ${quoted(klass)}`] : []), `example = [${quoted(example)}]`, "",
  ].join("\n");
}
