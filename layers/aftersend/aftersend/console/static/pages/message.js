// What became of this message, for each of its recipients?
import { get, part, useAnswer } from "../api.js";
import { linkTo, replaceQuery } from "../router.js";
import { bareAddress, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/message.js";
import { html, useState } from "../view.js";
import { FeedbackList } from "./feedback.js";
import { Field } from "../forms.js";
import {
  announce, Answered, Badge, CopyButton, count, Empty, linkToPerson, Moment, nameReason, Section, Sign, Status, Tally,
} from "../parts.js";

const BEGINNINGS = ["", "ses:", "rfc5322:", "mailerq:", "directmail:", "sendgrid:", "postmark:", "mailgun:"];
const STATUSES = ["bounced", "complained", "deferred", "delivered", "sent", "rejected", "expired"];

export function MessagePage({ route }) {
  if (!route.name) return html`<h1>${say("message.title")}</h1><p class="lead">${say("message.welcome")}</p>`;
  return html`<${Message} key=${`${route.name} ${route.query.to ?? ""}`} route=${route} />`;
}

function Message({ route }) {
  const { to } = route.query;
  const answer = useAnswer(() => readMessage(route.name, to), [route.name, to]);
  return html`<${Answered} answer=${answer}>${(found) =>
    found.outcomes.length ? html`<${Found} found=${found} route=${route} />` : html`<${NotFound} route=${route} to=${to} />`}<//>`;
}

// The id as it was given, or as a source would have written it, or an identifier of the sender's own.
async function readMessage(name, to) {
  const bare = !/^[a-z][a-z0-9_]*:/i.test(name);
  for (const beginning of bare ? BEGINNINGS : [""]) {
    const path = `messages/${part(beginning + (beginning === "rfc5322:" && !name.startsWith("<") ? `<${name}>` : name))}`;
    const found = await unlessMissing(get(path, { recipient: to }));
    if (found) return { ...found, path };
  }
  const found = name.includes(":") && !to ? await unlessMissing(get("messages", { identifier: name })) : null;
  return found ? { ...found, path: "messages", identifier: name } : { outcomes: [] };
}

async function unlessMissing(question) {
  try {
    return await question;
  } catch (problem) {
    if (problem.status === 404 || problem.type === "identifier-not-indexed") return null;
    throw problem;
  }
}

function NotFound({ route, to }) {
  return html`
    <article class="answer answer-note">
      <h1 class="verdict"><${Sign} tone="note" /> ${to ? say("message.to.none", { name: writeOut(to) }) : say("message.none")}</h1>
      ${!to && html`<p class="what">${say("message.none.what", { tried: BEGINNINGS.filter(Boolean).join(" ") })}</p>`}
      ${to && html`<p><a href=${linkTo("message", route.name)}>${say("message.to.all")}</a></p>`}
    </article>`;
}

function Found({ found, route }) {
  const [page, setPage] = useState({ outcomes: found.outcomes, next: found.next });
  const { status, to } = route.query;
  const first = page.outcomes[0];
  const shown = page.outcomes.filter((each) => !status || each.status === status);
  const more = async () => {
    const query = { cursor: page.next, recipient: to, identifier: found.identifier };
    const next = await get(found.path, query);
    setPage({ outcomes: [...page.outcomes, ...next.outcomes], next: next.next });
    announce(say("more.loaded", { count: next.outcomes.length }));
  };
  return html`
    <div class="title">
      <h1>${first.subject ? `“${writeOut(first.subject)}”` : writeOut(first.message)}</h1>
      <p class="soft"><code>${writeOut(found.identifier ?? found.message)}</code>${first.sender && ` ${say("message.from", { sender: writeOut(first.sender) })}`}</p>
      <div class="buttons"><${CopyButton} label=${say("message.copy")} text=${() => found.message ?? first.message} /></div>
    </div>
    <${Filters} route=${route} />
    <${Section} title=${say("message.recipients")} aside=${say(page.next ? "message.shown.more" : "message.shown", { count: count(page.outcomes.length) })}>
      <${Tally} counts=${countStatuses(page.outcomes)} />
      ${shown.length === 0 && html`<${Empty}>${say("message.filter.none", { status: say(`status.${status}`) })}<//>`}
      <div class="items">${shown.map((each) => html`<${Recipient} key=${`${each.message} ${each.recipient}`} outcome=${each} isOpen=${shown.length === 1} />`)}</div>
      ${page.next && html`<button type="button" onClick=${more}>${say("more.rows")}</button>`}
    <//>`;
}

function countStatuses(outcomes) {
  const counts = STATUSES.map((status) => [outcomes.filter((each) => each.status === status).length, say(`status.${status}`)]);
  return counts.filter(([number]) => number);
}

function Filters({ route }) {
  const [to, setTo] = useState(route.query.to ?? "");
  const apply = (event) => {
    event.preventDefault();
    replaceQuery(route, { to: to.trim() });
  };
  return html`
    <form class="filters" onSubmit=${apply}>
      <${Field} kind="select" label=${say("message.filter.status")} value=${route.query.status ?? ""} onChange=${(event) => replaceQuery(route, { status: event.target.value })}>
        <option value="">${say("all")}</option>
        ${STATUSES.map((each) => html`<option value=${each} selected=${route.query.status === each}>${say(`status.${each}`)}</option>`)}
      <//>
      <${Field} label=${say("message.filter.to")} placeholder=${say("message.filter.to.hint")} value=${to} onInput=${(event) => setTo(event.target.value)} autocomplete="off" spellcheck=${false} />
      <button type="submit">${say("message.filter.apply")}</button>
    </form>`;
}

function Recipient({ outcome, isOpen }) {
  const identifiers = Object.entries(outcome.correlation ?? {});
  const used = [["opened", outcome.opens], ["clicked", outcome.clicks]].filter(([, number]) => number);
  return html`
    <details class="item" open=${isOpen} data-item tabindex="-1">
      <summary>
        <span class="item-name">${writeOut(bareAddress(outcome.recipient))}</span>
        <${Status} status=${outcome.status} klass=${outcome.verdict?.class} />
        ${outcome.verdict && html`<span>${nameReason(outcome.verdict.reason)}</span>`}
        ${outcome.unproven && html`<${Badge} tone="warn">${say("unproven")}<//>`}
        <span class="soft item-end"><${Moment} at=${outcome.last_at} /></span>
      </summary>
      <div class="item-body">
        <${FeedbackList} outcome=${outcome} />
        ${used.length > 0 && html`<p class="soft">${used.map(([kind, number]) => say(`message.${kind}`, { count: count(number) })).join(", ")}</p>`}
        ${identifiers.length > 0 && html`<dl class="pairs" aria-label=${say("message.identifiers")}>${identifiers.map(([name, value]) => html`<div key=${name}><dt>${writeOut(name)}</dt><dd>${writeOut(value)}</dd></div>`)}</dl>`}
        <p><a href=${linkToPerson(outcome.recipient)}>${say("address.title")}</a></p>
      </div>
    </details>`;
}
