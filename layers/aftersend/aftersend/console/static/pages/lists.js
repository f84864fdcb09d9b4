// Many at once: check, import, export, take back, and who is newly suppressed.
import { html } from "../view.js";
import { linkTo } from "../router.js";
import { whyNot } from "../rights.js";
import { say } from "../texts.js";
import "../texts/lists.js";
import { Empty, Lazy } from "../parts.js";

const TABS = {
  check: { part: "CheckList", from: () => import("./check.js"), right: "ask" },
  new: { part: "NewlySuppressed", from: () => import("./newly.js"), right: "ask" },
  import: { part: "ImportList", from: () => import("./import.js"), right: "bulk" },
  export: { part: "ExportList", from: () => import("./export.js"), right: "bulk" },
  revert: { part: "RevertList", from: () => import("./export.js"), right: "bulk" },
  jobs: { part: "JobList", from: () => import("./joblist.js"), right: "bulk" },
};

export function ListsPage({ route }) {
  const name = route.name in TABS ? route.name : "check";
  const { part, from, right } = TABS[name];
  return html`
    <h1 class="unseen">${say("lists.title")}</h1>
    <nav class="tabs" aria-label=${say("lists.nav")}><ul>${Object.keys(TABS).map((each) => html`
      <li key=${each}><a href=${linkTo("lists", each)} aria-current=${each === name ? "page" : undefined}>${say(`lists.${each}`)}</a></li>`)}</ul></nav>
    ${whyNot(right) ? html`<${Empty}>${say("lists.denied")}<//>` : html`<${Lazy} key=${name} name=${part} from=${from} route=${route} />`}`;
}
