// What a person decides about one recipient: lift, suppress, forget. Each dialog says what will be done, asks for a note,
// and sends the version that was shown, so that nobody decides over what a colleague has just decided.
import { ask, part, Problem } from "../api.js";
import { bareAddress, writeOut } from "../safe.js";
import { say } from "../texts.js";
import "../texts/deciding.js";
import { readMoment, useZone, nameZone } from "../time.js";
import { html, useState } from "../view.js";
import { CheckField, DecisionForm, Dialog, Field, NoteField } from "../forms.js";
import { ALL_STREAMS, namePerson } from "../parts.js";

export function DeciderDialog(given) {
  const Chosen = { lift: LiftDialog, suppress: SuppressDialog, forget: ForgetDialog }[given.kind];
  return html`<${Chosen} ...${given} />`;
}

// What a write came to: `moved` is the row as somebody has left it meanwhile.
function useWrite(first, readAgain) {
  const [row, setRow] = useState(first);
  const [moved, setMoved] = useState(null);
  const [problem, setProblem] = useState(null);
  const [needsForce, setNeedsForce] = useState(Boolean(first?.needs_force));
  const write = async (send, done) => {
    setProblem(null);
    try {
      const { data } = await send(row, needsForce);
      done(data);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (error.status === 412) {
        const now = await readAgain(row.scope);
        setRow(now);
        setMoved(now);
        setNeedsForce(Boolean(now.needs_force));
      } else if (error.type === "release-requires-force") {
        setNeedsForce(true);
      } else {
        setProblem(error);
      }
    }
  };
  return { row, moved, problem, needsForce, write };
}

function Moved({ moved }) {
  if (!moved) return null;
  const last = [...(moved.history ?? [])].sort((one, other) => (one.at < other.at ? 1 : -1))[0];
  return html`<div class="problem" role="alert">
    <p><strong>${last ? say("moved.by", { who: writeOut(namePerson(last.by)), act: say(`act.${last.act}`) }) : say("moved")}</strong></p>
    ${moved.answer && html`<p>${writeOut(moved.answer.sentence)}</p>`}
    <p>${say("moved.again")}</p>
  </div>`;
}

function LiftDialog({ recipient, row: first, lift, onDone, onClose, readAgain }) {
  const { row, moved, problem, needsForce, write } = useWrite(first, readAgain);
  const [note, setNote] = useState("");
  const [isSure, setSure] = useState(false);
  const [errors, setErrors] = useState({});
  const kind = needsForce && lift !== "consent" ? "force" : lift;
  const send = async () => {
    const wrong = { note: note.trim() ? "" : say("note.missing"), sure: needsForce && !isSure ? say("sure.missing") : "" };
    setErrors(wrong);
    if (wrong.note || wrong.sure) return;
    await write(
      (now, force) => ask("DELETE", `suppressions/${part(recipient)}`, {
        query: { scope: now.scope, note: note.trim(), force: force ? "true" : undefined }, ifMatch: now.version,
      }),
      onDone,
    );
  };
  const name = bareAddress(recipient);
  const title = row.scope === ALL_STREAMS ? say("lift.title", { name }) : say("lift.title.stream", { name, stream: row.scope });
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <p>${say(`lift.what.${kind}`)}</p>
      <p class="soft">${say("lift.keeps")}</p>
      <${Moved} moved=${moved} />
      <${DecisionForm} send=${send} action=${say("lift.do")} onClose=${onClose} problem=${problem} danger=${kind === "force"}>
        <${NoteField} label=${say(`note.label.${kind}`)} error=${errors.note} value=${note} onInput=${(event) => setNote(event.target.value)} />
        ${needsForce && html`<${CheckField} label=${say(`sure.${kind}`)} error=${errors.sure} checked=${isSure} onChange=${(event) => setSure(event.target.checked)} />`}
      <//>
    <//>`;
}

function SuppressDialog({ recipient, row: first, onDone, onClose, readAgain }) {
  const { row, moved, problem, write } = useWrite(first, readAgain);
  const [given, setGiven] = useState({ note: "", until: "", stream: "" });
  const [errors, setErrors] = useState({});
  useZone();
  const take = (name) => (event) => setGiven({ ...given, [name]: event.target.value });
  const send = async () => {
    const until = given.until ? readMoment(given.until) : undefined;
    const wrong = {
      note: given.note.trim() ? "" : say("note.missing"),
      until: until === null || (until && Date.parse(until) <= Date.now()) ? say("until.past") : "",
    };
    setErrors(wrong);
    if (wrong.note || wrong.until) return;
    const scope = given.stream.trim() || ALL_STREAMS;
    await write(
      (now) => ask("PUT", `suppressions/${part(recipient)}`, {
        query: { scope }, body: { note: given.note.trim(), until }, ifMatch: scope === now.scope ? now.version : undefined,
      }),
      onDone,
    );
  };
  return html`
    <${Dialog} title=${say("suppress.title", { name: bareAddress(recipient) })} onClose=${onClose}>
      <p>${say("suppress.what")}</p>
      <${Moved} moved=${moved} />
      <${DecisionForm} send=${send} action=${say("suppress.do")} onClose=${onClose} problem=${problem}>
        <${NoteField} label=${say("note.label.suppress")} error=${errors.note} value=${given.note} onInput=${take("note")} />
        <${Field} label=${say("stream.label")} hint=${say("stream.hint")} value=${given.stream} onInput=${take("stream")} maxlength="256" />
        <${Field} type="datetime-local" label=${say("until.label", { zone: nameZone() })} hint=${say("until.hint")} error=${errors.until} value=${given.until} onInput=${take("until")} />
      <//>
    <//>`;
}

function ForgetDialog({ recipient, onDone, onClose }) {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState("");
  const [problem, setProblem] = useState(null);
  const name = bareAddress(recipient);
  const send = async () => {
    const isSame = typed.trim().toLowerCase() === name.toLowerCase();
    setError(isSame ? "" : say("forget.differs"));
    if (!isSame) return;
    try {
      const { data } = await ask("DELETE", `recipients/${part(recipient)}`);
      onDone({ erased: data });
    } catch (failed) {
      if (!(failed instanceof Problem)) throw failed;
      setProblem(failed);
    }
  };
  return html`
    <${Dialog} title=${say("forget.title", { name })} onClose=${onClose}>
      <p>${say("forget.what")}</p>
      <ul><li>${say("forget.goes")}</li><li>${say("forget.stays")}</li><li>${say("forget.archive")}</li></ul>
      <${DecisionForm} send=${send} action=${say("forget.do")} onClose=${onClose} problem=${problem} danger=${true}>
        <${Field} label=${say("forget.label", { name })} error=${error} value=${typed} autocomplete="off" spellcheck=${false} onInput=${(event) => setTyped(event.target.value)} />
      <//>
    <//>`;
}
