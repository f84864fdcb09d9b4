// A rule of one's own out of a text that no rule knows: written in a form, tried at each change, and to copy.
import { ask, Problem } from "../api.js";
import { maskOthers, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/feedback.js";
import "../texts/rules.js";
import { html, useEffect, useState } from "../view.js";
import { Dialog, Field } from "../forms.js";
import { CopyButton, count, nameReason, nameSource, ProblemNote, Sign, Table } from "../parts.js";
import { Trial } from "./trial.js";

const REASONS = [
  "user_unknown", "invalid_address", "invalid_domain", "mailbox_disabled", "mailbox_full", "recipient_refused", "message_too_large",
  "greylisted", "rate_limited", "system_error", "blocked", "auth_failed", "relay_denied", "sender_rejected", "spam_content",
  "policy_rejected", "content_rejected",
];
const CLASSES = ["hard", "soft", "block", "ignore"];
const PAUSE = 400; // milliseconds in which nobody types, before a rule is tried
const FIELDS = { "when.text": "text", id: "id", "then.reason": "reason", "then.class": "klass" };

export function RuleDialog({ text, source = "report", onClose }) {
  const [given, setGiven] = useState({ text: suggestPattern(text), reason: "user_unknown", klass: "", id: "mine" });
  const take = (name) => (event) => setGiven({ ...given, [name]: event.target.value });
  const toml = writeRule(given, text);
  const check = useCheck(toml, text, source);
  const [mistake] = check.problem?.data.mistakes ?? [];
  const wrong = mistake ? { [FIELDS[mistake.field] ?? "other"]: say("rule.wrong", { why: writeOut(mistake.message) }) } : {};
  return html`
    <${Dialog} title=${say("rule.title")} onClose=${onClose}>
      <div class="stack rule">
        <p>${say("rule.what")}</p>
        <${Field} label=${say("rule.text")} value=${given.text} error=${wrong.text} onInput=${take("text")} spellcheck=${false} />
        <div class="filters">
          <${Field} kind="select" label=${say("rule.reason")} value=${given.reason} error=${wrong.reason} onChange=${take("reason")}>
            ${REASONS.map((each) => html`<option value=${each}>${say(`reason.${each}`)}</option>`)}<//>
          <${Field} kind="select" label=${say("rule.class")} value=${given.klass} error=${wrong.klass} onChange=${take("klass")}>
            <option value="">${say("rule.class.usual")}</option>${CLASSES.map((each) => html`<option value=${each}>${say(`class.${each}`)}</option>`)}<//>
          <${Field} label=${say("rule.id")} value=${given.id} error=${wrong.id} onInput=${take("id")} spellcheck=${false} />
        </div>
        <pre class="code" tabindex="0" aria-label=${say("rule.toml")}>${toml}</pre>
        <div role="status">
          ${wrong.other && html`<p class="error"><${Sign} tone="stop" /> ${wrong.other}</p>`}
          ${check.problem && !mistake && html`<${ProblemNote} problem=${check.problem} />`}
          ${check.data && html`<${Checked} found=${check.data} />`}
        </div>
        ${check.data?.changes.length > 0 && html`<${Texts} changes=${check.data.changes} />`}
        ${check.data && html`<${Trial} toml=${toml} />`}
        <div class="buttons"><button type="button" onClick=${onClose}>${say("close")}</button><${CopyButton} label=${say("rule.copy")} text=${() => toml} /></div>
      </div>
    <//>`;
}

// What the API finds of a rule, once nobody types any more; an answer about an earlier one is dropped.
function useCheck(toml, text, source) {
  const [state, setState] = useState({});
  useEffect(() => {
    let isMine = true;
    const wait = setTimeout(async () => {
      try {
        const { data } = await ask("POST", "rules/check", { body: { rules: toml, source, refusal: { text }, limit: 20 } });
        if (isMine) setState({ data });
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (isMine) setState({ problem });
      }
    }, PAUSE);
    return () => {
      isMine = false;
      clearTimeout(wait);
    };
  }, [toml]);
  return state;
}

function Checked({ found }) {
  const { before, after } = found.refusal ?? {};
  const isSame = JSON.stringify(before) === JSON.stringify(after);
  return html`
    ${before && html`<p>${say("rule.now", { meaning: sayVerdict(before) })}</p>
      <p><${Sign} tone=${isSame ? "warn" : "go"} /> <strong>${isSame ? say("rule.unchanged") : say("rule.then", { meaning: sayVerdict(after) })}</strong></p>`}
    <p>${found.changed ? say("rule.texts", { count: count(found.changed), texts: count(found.texts) }) : say("rule.texts.none")}${!found.complete && ` ${say("rule.texts.part")}`}</p>`;
}

function Texts({ changes }) {
  return html`<details><summary>${say("rule.texts.table")}</summary>
    <${Table} caption=${say("rule.texts.table")} rows=${changes} columns=${[
      { name: say("rule.text.column"), wide: true, show: (each) => html`<code>${writeOut(each.text)}</code>` },
      { name: say("rule.seen"), number: true, show: (each) => `${count(each.seen)}${each.seen >= 100 ? "+" : ""}` },
      { name: say("rule.source"), show: (each) => nameSource(each.source) },
      { name: say("rule.means"), show: (each) => sayVerdict(each.after) },
    ]} /></details>`;
}

const sayVerdict = (verdict) => (verdict.class === "undetermined"
  ? say("rule.none")
  : say("rule.meaning", { reason: nameReason(verdict.reason), class: say(`class.${verdict.class}`), rule: writeOut(verdict.rule) }));

// The words alone: codes, numbers, addresses and what stands in brackets differ from one refusal to the next.
function suggestPattern(text) {
  const words = text.toLowerCase().replace(/\[[^\]]*\]|<[^>]*>|\S+@\S+/g, " * ").replace(/[^\p{L}*' ]+/gu, " ").trim().split(/\s+/);
  const kept = words.filter((each, at) => each !== "*" || (at > 0 && at < words.length - 1 && words[at - 1] !== "*"));
  return kept.slice(0, 8).join(" ");
}

const quoted = (text) => JSON.stringify(text.replaceAll("\u007f", ""));

// No address stands in the example: it would stay in the document of rules when somebody wants to be forgotten.
function writeRule({ id, text, reason, klass }, example) {
  return [
    "[[rule]]", `id = ${quoted(id)}`, `when.text = [${quoted(text)}]`, `then.reason = ${quoted(reason)}`,
    ...(klass ? [`then.class = ${quoted(klass)}`] : []), `example = [${quoted(maskOthers(example, ""))}]`, "",
  ].join("\n");
}
