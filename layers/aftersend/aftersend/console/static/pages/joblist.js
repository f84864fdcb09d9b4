// The jobs of the last thirty days: what came of them, and where their files are.
import { get, part, useAnswer } from "../api.js";
import { linkTo } from "../router.js";
import { writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/jobs.js";
import "../texts/lists.js";
import { html, useState } from "../view.js";
import { announce, Answered, Badge, count, Empty, Moment, namePerson, Section, Table } from "../parts.js";

const TONES = { waiting: "note", running: "wait", done: "go", failed: "stop" };
const RESULTS = ["imported", "exported", "reverted", "tried", "dropped"];

export function JobList() {
  const answer = useAnswer(() => get("jobs", { limit: 50 }), []);
  return html`
    <${Section} title=${say("jobs.title")}>
      <p class="soft">${say("jobs.what")}</p>
      <${Answered} answer=${answer}>${(page) => html`<${Jobs} first=${page} />`}<//>
    <//>`;
}

function Jobs({ first }) {
  const [page, setPage] = useState(first);
  const more = async () => {
    const next = await get("jobs", { limit: 50, cursor: page.next });
    setPage({ jobs: [...page.jobs, ...next.jobs], next: next.next });
    announce(say("more.loaded", { count: next.jobs.length }));
  };
  return html`
    ${page.jobs.length === 0 && html`<${Empty}>${say("jobs.none")}<//>`}
    ${page.jobs.length > 0 && html`<${Table} caption=${say("jobs.title")} rows=${page.jobs} keyOf=${(each) => each.id} columns=${[
      { name: say("jobs.kind"), show: (each) => html`${nameJob(each)}${each.dry_run && html` <${Badge} tone="note">${say("jobs.dry")}<//>`}` },
      { name: say("jobs.begun"), show: (each) => html`<${Moment} at=${each.created_at} />` },
      { name: say("jobs.by"), show: (each) => html`<span title=${each.by}>${writeOut(namePerson(each.by))}</span>` },
      { name: say("jobs.state"), show: (each) => html`<${Badge} tone=${TONES[each.state]}>${say(`job.state.${each.state}`)}<//>${each.why && ` ${writeOut(each.why)}`}` },
      { name: say("jobs.result"), show: sayResult },
      { name: say("jobs.file"), show: (each) => each.job === "export" && each.state === "done" && html`<${FileLink} id=${each.id} />` },
    ]} />`}
    ${page.next && html`<button type="button" onClick=${more}>${say("more.rows")}</button>`}`;
}

// An import is followed, and a list that was tried is imported, where it was begun.
function nameJob({ id, job }) {
  const name = say(`jobs.job.${job}`);
  return job === "import" ? html`<a href=${linkTo("lists", "import", { job: id })}>${name}</a>` : name;
}

function sayResult(job) {
  const kind = RESULTS.find((each) => job[each]);
  if (!kind) return null;
  const numbers = Object.entries(job[kind]).map(([name, value]) => [name, typeof value === "number" ? count(value) : writeOut(String(value))]);
  return say(`jobs.${kind}`, Object.fromEntries(numbers));
}

// A link to a file is made when it is asked for: it works for an hour, for whoever has it.
function FileLink({ id }) {
  const [url, setUrl] = useState("");
  const ask = async () => setUrl((await get(`jobs/${part(id)}`)).download?.url ?? "");
  return url ? html`<a href=${url} download>${say("export.download")}</a>` : html`<button type="button" class="link" onClick=${ask}>${say("jobs.get")}</button>`;
}
