// Take our list along, and take back what a provider said by accident: jobs that are begun here and followed.
import { ask, Problem } from "../api.js";
import { followJob, isOver } from "../jobs.js";
import { writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/lists.js";
import { nameZone, readMoment, useZone, writeField } from "../time.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { CheckField, Field } from "../forms.js";
import { announce, count, ProblemNote, Section, Tally } from "../parts.js";

const LAYOUTS = ["csv", "jsonl", "addresses", "tokens"];
const CHANNELS = ["email", "sms", "push"];
const REASONS = ["user_unknown", "invalid_address", "invalid_domain", "mailbox_disabled", "suppressed", "complaint", "blocked", "policy_rejected"];

function useJob() {
  const [state, setState] = useState({});
  const wanted = useRef(true);
  useEffect(() => () => { wanted.current = false; }, []);
  const run = async (path, body, more = {}) => {
    setState({ isBusy: true });
    try {
      const { data } = await ask("POST", path, { body });
      const job = await followJob(data, (each) => setState({ job: each, isBusy: !isOver(each) }), () => wanted.current);
      announce(say(`job.state.${job.state}`));
      setState({ job, ...more });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState({ problem });
    }
  };
  return { ...state, run };
}

function JobNotes({ state, children }) {
  return html`
    ${state.isBusy && html`<p role="status">${say("job.working")} <progress aria-label=${say("job.working")}></progress></p>`}
    ${state.problem && html`<${ProblemNote} problem=${state.problem} />`}
    ${state.job?.state === "failed" && html`<div class="problem" role="alert"><p>${say("job.failed", { why: writeOut(state.job.why ?? "") })}</p></div>`}
    ${state.job?.state === "done" && children}`;
}

export function ExportList() {
  const [given, setGiven] = useState({ format: "csv", channel: "", stream: "", active: true });
  const [error, setError] = useState("");
  const state = useJob();
  const change = (changes) => setGiven({ ...given, ...changes });
  const send = (event) => {
    event.preventDefault();
    const lacks = given.format === "addresses" && !given.channel;
    setError(lacks ? say("export.channel.needed") : "");
    if (lacks) return;
    state.run("suppressions/export", { format: given.format, channel: given.channel || undefined, scope: given.stream.trim() || undefined, active: given.active });
  };
  return html`
    <${Section} title=${say("export.title")}>
      <form class="stack" onSubmit=${send}>
        <div class="filters">
          <${Field} kind="select" label=${say("export.format")} value=${given.format} onChange=${(event) => change({ format: event.target.value })}>
            ${LAYOUTS.map((each) => html`<option value=${each}>${say(`export.format.${each}`)}</option>`)}<//>
          <${Field} kind="select" label=${say("export.channel")} error=${error} value=${given.channel} onChange=${(event) => change({ channel: event.target.value })}>
            <option value="">${say("export.channel.any")}</option>${CHANNELS.map((each) => html`<option value=${each}>${say(`export.channel.${each}`)}</option>`)}<//>
          <${Field} label=${say("lists.stream")} value=${given.stream} onInput=${(event) => change({ stream: event.target.value })} maxlength="256" />
        </div>
        <${CheckField} label=${say("export.active")} checked=${given.active} onChange=${(event) => change({ active: event.target.checked })} />
        <div class="buttons"><button type="submit" class="main">${say("export.do")}</button></div>
      </form>
      <${JobNotes} state=${state}>
        <article class="answer answer-go"><h3>${say("export.rows", { count: count(state.job?.exported?.rows ?? 0) })}</h3>
          ${state.job?.download && html`<div class="buttons"><a class="button main" href=${state.job.download.url} download>${say("export.download")}</a></div><p class="soft">${say("export.link")}</p>`}
        </article>
      <//>
    <//>`;
}

export function RevertList({ route }) {
  const { domain = "", reason = "user_unknown", since, until } = route.query;
  const [given, setGiven] = useState(() => ({ domain, reason, since: writeField(since), until: writeField(until), note: "", force: false }));
  const [errors, setErrors] = useState({});
  const state = useJob();
  useZone();
  const change = (name) => (event) => setGiven({ ...given, [name]: event.target.type === "checkbox" ? event.target.checked : event.target.value });
  const choice = JSON.stringify(given);
  const isTried = state.choice === choice && state.job?.state === "done" && state.job.dry_run;
  const run = (dryRun) => {
    const times = { since: readMoment(given.since), until: readMoment(given.until) };
    const wrong = Object.fromEntries(["domain", "since", "until", "note"].map((each) => [each, (each in times ? times[each] : given[each].trim()) ? "" : say("revert.missing")]));
    setErrors(wrong);
    if (Object.values(wrong).some(Boolean)) return;
    state.run("suppressions/revert", { dry_run: dryRun, domain: given.domain.trim(), reason: given.reason, note: given.note.trim(), force: given.force, ...times }, { choice });
  };
  const found = state.job?.reverted ?? {};
  const isDry = Boolean(state.job?.dry_run);
  return html`
    <${Section} title=${say("revert.title")}>
      <p class="soft">${say("revert.what")}</p>
      <form class="stack" onSubmit=${(event) => { event.preventDefault(); run(true); }}>
        <div class="filters">
          <${Field} label=${say("revert.domain")} error=${errors.domain} value=${given.domain} onInput=${change("domain")} spellcheck=${false} />
          <${Field} kind="select" label=${say("revert.reason")} value=${given.reason} onChange=${change("reason")}>${REASONS.map((each) => html`<option value=${each}>${say(`reason.${each}`)}</option>`)}<//>
          <${Field} type="datetime-local" label=${say("revert.since", { zone: nameZone() })} error=${errors.since} value=${given.since} onInput=${change("since")} />
          <${Field} type="datetime-local" label=${say("revert.until", { zone: nameZone() })} error=${errors.until} value=${given.until} onInput=${change("until")} />
        </div>
        <${Field} label=${say("revert.note")} error=${errors.note} value=${given.note} onInput=${change("note")} maxlength="500" />
        <${CheckField} label=${say("revert.force")} checked=${given.force} onChange=${change("force")} />
        <div class="buttons"><button type="submit" class=${isTried ? "" : "main"}>${say("revert.dry")}</button>
          ${isTried && found.changed > 0 && html`<button type="button" class="danger" onClick=${() => run(false)}>${say("revert.real", { count: count(found.changed) })}</button>`}</div>
      </form>
      <${JobNotes} state=${state}>
        <article class=${`answer answer-${isDry ? "note" : "go"}`}>
          <h3>${say(isDry ? "import.dry.result" : "written")}</h3>
          <${Tally} counts=${[[found.found ?? 0, say("revert.found")], [found.changed ?? 0, say(isDry ? "revert.changed" : "revert.changed.real")], [found.freed ?? 0, say(isDry ? "revert.freed" : "revert.freed.real")]]} />
        </article>
      <//>
    <//>`;
}
