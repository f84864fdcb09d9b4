// The list of keys, and the way to turn them off.
import { KEYS_OFF } from "./app.js";
import { Dialog } from "./forms.js";
import { Table } from "./parts.js";
import { say } from "./texts.js";
import "./texts/keys.js";
import { html, useState } from "./view.js";

const LICENCES = { Preact: "./vendor/preact.LICENSE.txt", htm: "./vendor/htm.LICENSE.txt" };

export function KeyHelp({ pages, onClose }) {
  const [isOff, setOff] = useState(localStorage.getItem(KEYS_OFF) === "off");
  const turn = () => {
    localStorage.setItem(KEYS_OFF, isOff ? "on" : "off");
    setOff(!isOff);
  };
  const letters = Object.entries(pages).map(([page, { key }]) => `${key} ${say(`page.${page}`)}`).join(", ");
  const rows = [["/", say("key.lookup")], ["?", say("key.keys")], ["u", say("key.utc")], ["g …", say("key.go", { letters })], ["j k", say("key.move")], ["o", say("key.open")]];
  return html`
    <${Dialog} title=${say("keys.title")} onClose=${onClose}>
      <${Table} caption=${say("keys.title")} rows=${rows} columns=${[
        { name: say("keys.column.key"), show: ([key]) => html`<kbd>${key}</kbd>` },
        { name: say("keys.column.what"), show: ([, what]) => what },
      ]} />
      <p class="soft">${say("key.none")}</p>
      <p class="soft">${say("keys.made.with")} ${Object.entries(LICENCES).map(([name, path], at) => html`${at > 0 && ", "}<a href=${new URL(path, import.meta.url).href}>${name}</a>`)}</p>
      <div class="buttons"><button type="button" onClick=${turn}>${say(isOff ? "keys.on" : "keys.off")}</button>
        <button type="button" class="main" onClick=${onClose}>${say("close")}</button></div>
    <//>`;
}
