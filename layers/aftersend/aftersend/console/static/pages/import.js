// Bring a list in: a dry run first, and then the real one, of the very file that it has read and with the same choices.
// Which job that is stands in the URL, so whoever comes back later finds it there.
import { ask, get, part, Problem, SETTINGS } from "../api.js";
import { followJob, isOver } from "../jobs.js";
import { replaceQuery } from "../router.js";
import { writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/lists.js";
import { nameZone, readMoment, useZone } from "../time.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { CheckField, Field } from "../forms.js";
import { announce, count, ProblemNote, Section, Sign, Table, Tally } from "../parts.js";

const AT_ONCE = 5 * 1024 * 1024; // bytes that the API takes with a request; a larger list is uploaded
const MAX = SETTINGS.upload ? 1024 * 1024 * 1024 : AT_ONCE;
const FORMATS = [
  "aftersend", "ses", "sendgrid-bounces", "sendgrid-blocks", "sendgrid-invalid-emails", "sendgrid-spam-reports", "sendgrid-unsubscribes",
  "mailgun-bounces", "mailgun-complaints", "mailgun-unsubscribes", "postmark", "campaign-addresses",
];
const COUNTS = ["new", "updated", "unchanged", "skipped", "invalid", "lifted"];
const NOTHING = { format: "", stream: "", at: "", full: false };
const UNKNOWN = { file: null, choice: JSON.stringify(NOTHING) };
const megabytes = (bytes) => `${(bytes / 1024 / 1024).toFixed(bytes < 1024 * 1024 ? 2 : 1)} MB`;

export function ImportList({ route }) {
  const [file, setFile] = useState(null);
  const [given, setGiven] = useState(NOTHING);
  const [errors, setErrors] = useState({});
  const [state, setState] = useState({});
  const [turn, setTurn] = useState(0);
  const here = useRef(true);
  const begun = useRef(UNKNOWN); // the last job, and what it was begun with
  useZone();
  useEffect(() => () => { here.current = false; }, []);
  const id = route.query.job;
  useEffect(() => {
    let isMine = true;
    const follow = async () => {
      if (begun.current.job?.id !== id) {
        begun.current = { ...UNKNOWN, job: await get(`jobs/${part(id)}`) };
        setFile(null);
        setGiven(NOTHING);
      }
      const job = await followJob(begun.current.job, (each) => isMine && setState({ job: each, isBusy: true }), () => isMine);
      if (!isMine) return;
      announce(say(job.dry_run ? "import.dry.result" : "import.real.result"));
      setState({ job });
    };
    if (id) attempt(follow, setState);
    else setState({});
    return () => { isMine = false; };
  }, [id, turn]);
  const change = (changes) => setGiven({ ...given, ...changes });
  const choice = JSON.stringify(given);
  const { job, isBusy } = state;
  const isTried = job?.dry_run && begun.current.file === file && begun.current.choice === choice;
  const begin = (question, size, tried) => attempt(async () => {
    if (isBusy) return;
    begun.current = { file, choice, size };
    setState({ job: tried, isBusy: true });
    const made = begun.current.job = await question();
    if (!made.id) setState({ job: made });
    else if (here.current) replaceQuery(route, { job: made.id });
  }, setState);
  const run = () => {
    const at = given.at ? readMoment(given.at) : undefined;
    const wrong = { file: file ? "" : say("revert.missing"), at: given.full && !at ? say("import.full.at") : "" };
    setErrors(wrong);
    if (wrong.file || wrong.at || file.size > MAX) return;
    const query = { dry_run: "true", format: given.format, scope: given.stream.trim(), at, full: given.full ? "true" : undefined };
    begin(() => tryList(file, query, (sent) => setState({ sent, isBusy: true })), file.size);
  };
  const apply = async () => (await ask("POST", `jobs/${part(job.id)}/apply`)).data;
  return html`
    <${Section} title=${say("import.title")}>
      <form class="stack" onSubmit=${(event) => { event.preventDefault(); run(); }}>
        <${DropZone} file=${file} onFile=${setFile} error=${errors.file} />
        <div class="filters">
          <${Field} kind="select" label=${say("import.format")} value=${given.format} onChange=${(event) => change({ format: event.target.value })}>
            <option value="">${say("import.format.detect")}</option>${FORMATS.map((each) => html`<option value=${each}>${each}</option>`)}<//>
          <${Field} label=${say("lists.stream")} value=${given.stream} onInput=${(event) => change({ stream: event.target.value })} maxlength="256" />
          <${Field} type="datetime-local" label=${say("import.at", { zone: nameZone() })} error=${errors.at} value=${given.at} onInput=${(event) => change({ at: event.target.value })} />
        </div>
        <p class="hint">${say("import.format.hint")}</p>
        <${CheckField} label=${say("import.full")} checked=${given.full} onChange=${(event) => change({ full: event.target.checked })} />
        <div class="buttons"><button type="submit" class=${isTried ? "" : "main"} aria-disabled=${Boolean(isBusy)}>${say("import.dry")}</button>
          ${isTried && !isBusy && html`<${RealRun} job=${job} onRun=${() => begin(apply, job.read, job)} />`}</div>
      </form>
      ${isBusy && html`<${Progress} state=${state} size=${begun.current.size} />`}
      ${state.problem && html`<${ProblemNote} problem=${state.problem} onRetry=${id && begun.current.job?.id === id && (() => setTurn(turn + 1))} />`}
      ${job && !isBusy && isOver(job) && html`<${Imported} job=${job} />`}
      ${job?.dry_run && !isBusy && !isTried && html`<p class="soft">${say("import.stale")}</p>`}
    <//>`;
}

async function attempt(act, setState) {
  try {
    await act();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    setState(({ job }) => ({ job, problem }));
  }
}

// Begin a dry run; a large list is uploaded first, of which `note` hears how many bytes are sent.
async function tryList(file, query, note) {
  if (file.size <= AT_ONCE) return (await ask("POST", "suppressions/import", { query, body: file, type: typeOf(file.name) })).data;
  const { data: job } = await ask("POST", "suppressions/import/uploads", { query: { ...query, bytes: file.size } });
  const status = await send(file, job, note);
  if (status < 200 || status > 299) return { state: "failed", why: say("import.unsent", { status }) };
  return (await ask("POST", `jobs/${part(job.id)}/start`)).data;
}

// Put a list where its job waits for it: by way of whoever serves this page, or into the bucket itself. It goes on while
// another page is looked at.
const send = (file, job, note) => new Promise((resolve) => {
  const request = new XMLHttpRequest();
  request.upload.onprogress = (event) => note(event.loaded);
  request.onloadend = () => {
    window.onbeforeunload = null;
    resolve(request.status);
  };
  window.onbeforeunload = (event) => event.preventDefault();
  request.open("PUT", SETTINGS.upload.startsWith("/") ? SETTINGS.upload + job.id : job.upload.url);
  request.send(file.slice()); // which has no type: the bucket takes any, and need not be asked whether it does
});

function Progress({ state: { job, sent }, size }) {
  const isSent = sent === undefined;
  const label = say(isSent ? "job.working" : "import.sending");
  return html`<p><span role="status">${label}</span> <progress aria-label=${label} max=${size} value=${size && (isSent ? job?.read : sent)}></progress>
    ${isSent ? job?.imported && ` ${count(job.imported.rows)} ${say("import.rows")}` : ` ${megabytes(sent)} / ${megabytes(size)}`}</p>`;
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
    if (files[0]) onFile(files[0]);
  };
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    choose(event.dataTransfer.files);
  };
  const isLarge = file?.size > MAX;
  return html`
    <div class=${`drop ${isOver ? "drop-over" : ""}`} onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <p>${say("import.drop")}</p>
      <label class="button">${say("import.choose")}<input class="unseen" type="file" accept=".csv,.json,.jsonl,.ndjson,.txt" aria-invalid=${error ? "true" : undefined} onChange=${(event) => choose(event.target.files)} /></label>
      ${file && !isLarge && html`<p><strong>${say("import.file", { name: writeOut(file.name), size: megabytes(file.size) })}</strong></p>`}
      ${isLarge && html`<p class="error"><${Sign} tone="warn" /> ${say(SETTINGS.upload ? "import.largest" : "import.large", { max: megabytes(MAX), name: writeOut(file.name) })}</p>`}
      ${error && html`<p class="error"><${Sign} tone="stop" /> ${error}</p>`}
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
