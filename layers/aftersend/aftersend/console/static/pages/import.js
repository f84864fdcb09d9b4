// Bring a list in: a dry run first, and the real one for that very file and those very choices alone.
import { ask, Problem } from "../api.js";
import { followJob } from "../jobs.js";
import { writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/lists.js";
import { nameZone, readMoment, useZone } from "../time.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { CheckField, Field } from "../forms.js";
import { announce, count, ProblemNote, Section, Sign, Table, Tally } from "../parts.js";

const MAX = 5 * 1024 * 1024; // bytes that the API takes with a request
const FORMATS = [
  "aftersend", "ses", "sendgrid-bounces", "sendgrid-blocks", "sendgrid-invalid-emails", "sendgrid-spam-reports", "sendgrid-unsubscribes",
  "mailgun-bounces", "mailgun-complaints", "mailgun-unsubscribes", "postmark", "campaign-addresses",
];
const COUNTS = ["new", "updated", "unchanged", "skipped", "invalid", "lifted"];
const megabytes = (bytes) => `${(bytes / 1024 / 1024).toFixed(bytes < 1024 * 1024 ? 2 : 1)} MB`;

export function ImportList() {
  const [file, setFile] = useState(null);
  const [given, setGiven] = useState({ format: "", stream: "", at: "", full: false });
  const [errors, setErrors] = useState({});
  const [state, setState] = useState({});
  const wanted = useRef(true);
  useZone();
  useEffect(() => () => { wanted.current = false; }, []);
  const change = (changes) => setGiven({ ...given, ...changes });
  const choice = JSON.stringify(given);
  const isTried = state.tried && state.tried.file === file && state.tried.choice === choice;
  const run = async (dryRun) => {
    const at = given.at ? readMoment(given.at) : undefined;
    const wrong = { file: file ? "" : say("revert.missing"), at: given.full && !at ? say("import.full.at") : "" };
    setErrors(wrong);
    if (wrong.file || wrong.at) return;
    setState({ ...state, problem: null, isBusy: true });
    try {
      const { data } = await ask("POST", "suppressions/import", {
        query: { dry_run: String(dryRun), format: given.format, scope: given.stream.trim(), at, full: given.full ? "true" : undefined },
        body: file, type: typeOf(file.name),
      });
      const job = await followJob(data, (each) => setState({ job: each, isBusy: true }), () => wanted.current);
      announce(say(dryRun ? "import.dry.result" : "import.real.result"));
      setState({ job, tried: dryRun ? { file, choice } : null });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState({ problem });
    }
  };
  const job = state.job;
  return html`
    <${Section} title=${say("import.title")}>
      <form class="stack" onSubmit=${(event) => { event.preventDefault(); run(true); }}>
        <${DropZone} file=${file} onFile=${setFile} error=${errors.file} />
        <div class="filters">
          <${Field} kind="select" label=${say("import.format")} value=${given.format} onChange=${(event) => change({ format: event.target.value })}>
            <option value="">${say("import.format.detect")}</option>${FORMATS.map((each) => html`<option value=${each}>${each}</option>`)}<//>
          <${Field} label=${say("lists.stream")} value=${given.stream} onInput=${(event) => change({ stream: event.target.value })} maxlength="256" />
          <${Field} type="datetime-local" label=${say("import.at", { zone: nameZone() })} error=${errors.at} value=${given.at} onInput=${(event) => change({ at: event.target.value })} />
        </div>
        <p class="hint">${say("import.format.hint")}</p>
        <${CheckField} label=${say("import.full")} checked=${given.full} onChange=${(event) => change({ full: event.target.checked })} />
        <div class="buttons"><button type="submit" class=${isTried ? "" : "main"} aria-disabled=${Boolean(state.isBusy)}>${say("import.dry")}</button>
          ${isTried && html`<${RealRun} job=${job} onRun=${() => run(false)} />`}</div>
      </form>
      ${state.isBusy && html`<p role="status">${say("job.working")} <progress aria-label=${say("job.working")}></progress></p>`}
      ${state.problem && html`<${ProblemNote} problem=${state.problem} />`}
      ${job && !state.isBusy && html`<${Imported} job=${job} />`}
      ${state.tried && !isTried && html`<p class="soft">${say("import.stale")}</p>`}
    <//>`;
}

function typeOf(name) {
  if (/\.(jsonl|ndjson)$/i.test(name)) return "application/x-ndjson";
  return /\.json$/i.test(name) ? "application/json" : "text/csv";
}

function RealRun({ job, onRun }) {
  const found = job.imported ?? {};
  const changes = (found.new ?? 0) + (found.updated ?? 0) + (found.lifted ?? 0);
  if (job.state !== "done") return null;
  if (!changes) return html`<span class="soft">${say("import.real.none")}</span>`;
  return html`<button type="button" class="main" onClick=${onRun}>${say("import.real", { count: count(changes) })}</button>`;
}

function DropZone({ file, onFile, error }) {
  const [isOver, setOver] = useState(false);
  const choose = (files) => {
    const [chosen] = files;
    if (chosen) onFile(chosen.size > MAX ? { tooLarge: chosen } : chosen);
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    choose(event.dataTransfer.files);
  };
  const large = file?.tooLarge;
  return html`
    <div class=${`drop ${isOver ? "drop-over" : ""}`} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <p>${say("import.drop")}</p>
      <label class="button">${say("import.choose")}<input class="unseen" type="file" accept=".csv,.json,.jsonl,.ndjson,.txt" aria-invalid=${error ? "true" : undefined} onChange=${(event) => choose(event.target.files)} /></label>
      ${file && !large && html`<p><strong>${say("import.file", { name: writeOut(file.name), size: megabytes(file.size) })}</strong></p>`}
      ${large && html`<p class="error"><${Sign} tone="warn" /> ${say("import.large", { max: megabytes(MAX), name: writeOut(large.name) })}</p>`}
      ${error && !large && html`<p class="error"><${Sign} tone="stop" /> ${error}</p>`}
    </div>`;
}

function Imported({ job }) {
  const found = job.imported ?? {};
  if (job.state === "failed") return html`<div class="problem" role="alert"><p>${say("job.failed", { why: writeOut(job.why ?? "") })}</p></div>`;
  const counts = COUNTS.filter((each) => found[each]).map((each) => [found[each], say(`import.${each}`)]);
  return html`
    <article class=${`answer answer-${job.dry_run ? "note" : "go"}`}>
      <h3>${say(job.dry_run ? "import.dry.result" : "import.real.result")}</h3>
      <${Tally} counts=${[[found.rows ?? 0, say("import.rows")], ...counts]} />
      ${job.format && html`<p class="soft">${say("import.recognised", { format: job.format })}</p>`}
      ${found.errors?.length > 0 && html`<details><summary>${say("import.errors")}</summary>
        <${Table} caption=${say("import.errors")} rows=${found.errors} columns=${[
          { name: say("import.line"), number: true, show: (each) => count(each.line) },
          { name: say("import.why"), show: (each) => writeOut(each.why) },
        ]} /></details>`}
    </article>`;
}
