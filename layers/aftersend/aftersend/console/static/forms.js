// Forms and the dialogs that they stand in.
import { say } from "./texts.js";
import "./texts/deciding.js";
import { ProblemNote, Sign } from "./parts.js";
import { html, useEffect, useId, useRef, useState } from "./view.js";

export function Field({ label, hint, error, kind = "input", children, ...given }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  const common = { id, "aria-describedby": described, "aria-invalid": error ? "true" : undefined, ...given };
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
      ${error && html`<p class="error" id=${`${id}-error`}><${Sign} tone="stop" /> ${error}</p>`}
      ${kind === "textarea" && html`<textarea ...${common}></textarea>`}
      ${kind === "select" && html`<select ...${common}>${children}</select>`}
      ${kind === "input" && html`<input ...${common} />`}
    </div>`;
}

export function NoteField(given) {
  return html`<${Field} kind="textarea" hint=${say("note.hint")} rows="3" maxlength="500" required ...${given} />`;
}

export function CheckField({ label, error, ...given }) {
  const id = useId();
  return html`
    <div class="field">
      ${error && html`<p class="error" id=${`${id}-error`}><${Sign} tone="stop" /> ${error}</p>`}
      <label class="check"><input type="checkbox" aria-describedby=${error ? `${id}-error` : undefined} aria-invalid=${error ? "true" : undefined} ...${given} />
        <span>${label}</span></label>
    </div>`;
}

// A native dialog: Escape closes it, and the focus goes back to where it was.
export function Dialog({ title, onClose, children }) {
  const element = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    dialog.querySelector("[data-first]")?.focus();
    // Escape is heard of before the dialog closes, and again a moment after: by then, a quick hand has opened the next.
    let isOver = false;
    const end = () => {
      if (isOver) return;
      isOver = true;
      dialog.close(); // which gives the focus back
      onClose();
    };
    for (const each of ["cancel", "close"]) dialog.addEventListener(each, end);
    return () => {
      isOver = true;
      dialog.close();
    };
  }, []);
  return html`
    <dialog ref=${element} aria-labelledby=${id}>
      <h2 id=${id}>${title}</h2>
      ${children}
    </dialog>`;
}

// A form in a dialog whose sending may fail: what was typed stays, and the first field that is wrong has the focus.
export function DecisionForm({ send, action, onClose, children, danger = false, problem }) {
  const [isBusy, setBusy] = useState(false);
  const form = useRef(null);
  const submit = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    setBusy(true);
    try {
      await send();
    } finally {
      setBusy(false);
      requestAnimationFrame(() => form.current?.querySelector('[aria-invalid="true"]')?.focus());
    }
  };
  return html`
    <form ref=${form} onSubmit=${submit} novalidate>
      ${problem && html`<${ProblemNote} problem=${problem} />`}
      ${children}
      <div class="buttons">
        <button type="button" onClick=${onClose} data-first=${danger ? "" : undefined}>${say("cancel")}</button>
        <button type="submit" class=${danger ? "danger" : "main"} aria-disabled=${isBusy}>${isBusy ? say("sending") : action}</button>
      </div>
    </form>`;
}
