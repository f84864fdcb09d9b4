// What a rule would change of everything stored: a job that writes nothing, and how to make it real then.
import { ask, Problem } from "../api.js";
import { useConfiguration } from "../configuration.js";
import { followJob } from "../jobs.js";
import { whyNot } from "../rights.js";
import { writeOut } from "../safe.js";
import { say, sayCount } from "../texts.js";
import "../texts/feedback.js";
import "../texts/rules.js";
import { html, useEffect, useRef, useState } from "../view.js";
import { CopyButton, count, Empty, nameReason, nameSource, ProblemNote, Table, Tally } from "../parts.js";

export function Trial({ toml }) {
  const [state, setState] = useState({});
  const wanted = useRef(true);
  useEffect(() => () => { wanted.current = false; }, []);
  const run = async () => {
    if (state.isBusy) return;
    setState({ toml, isBusy: true });
    try {
      const { data } = await ask("POST", "rules/trials", { body: { rules: toml } });
      const job = await followJob(data, (each) => setState({ toml, job: each, isBusy: true }), () => wanted.current);
      setState({ toml, job });
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      setState({ toml, problem });
    }
  };
  const denied = whyNot("bulk");
  const isOld = state.toml !== undefined && state.toml !== toml;
  return html`
    <section class="stack trial">
      <h3>${say("trial.title")}</h3>
      <p class="soft">${denied ? say("trial.denied", { why: denied }) : say("trial.what")}</p>
      ${!denied && html`<div class="buttons"><button type="button" class=${state.job && !isOld ? "" : "main"} aria-disabled=${Boolean(state.isBusy)} onClick=${run}>${say(state.job && !state.isBusy ? "trial.again" : "trial.do")}</button></div>`}
      <div role="status">
        ${state.isBusy && html`<p><progress aria-label=${say("trial.working")}></progress> ${sayCount("trial.progress", state.job?.tried?.outcomes ?? 0)}</p>`}
        ${isOld && !state.isBusy && html`<p class="soft">${say("trial.stale")}</p>`}
        ${state.job && !state.isBusy && !isOld && html`<p><strong>${sayEnd(state.job)}</strong></p>`}
      </div>
      ${state.problem && html`<${ProblemNote} problem=${state.problem} onRetry=${run} />`}
      ${state.job?.state === "done" && !state.isBusy && !isOld && html`<${Result} found=${state.job.tried} />`}
      <${MakeReal} toml=${toml} isTried=${Boolean(state.job) && !state.isBusy && !isOld} />
    </section>`;
}

function sayEnd({ state, tried, why }) {
  if (state !== "done") return say("trial.failed", { why: writeOut(why ?? "") });
  if (!tried.changed && !tried.suppressed && !tried.freed) return say("trial.nothing", { count: count(tried.outcomes) });
  return sayCount("trial.changed", tried.changed, { all: count(tried.outcomes) });
}

function Result({ found }) {
  const tally = ["suppressed", "freed", "decided"].map((each) => [found[each], say(`trial.tally.${each}`)]);
  const isDue = found.changes.some((each) => !found.precedence.some(({ rule }) => rule === each.after.rule));
  return html`
    <article class="answer answer-note">
      <h4>${say("trial.result")}</h4>
      <${Tally} counts=${tally} />
      ${found.unreadable > 0 && html`<p class="soft">${sayCount("trial.unreadable", found.unreadable)}</p>`}
      ${["begins", "ends"].map((each) => html`<${Causes} key=${each} title=${say(`trial.${each}`)} counted=${found[each]} />`)}
      ${found.changes.length > 0 && html`<${Table} caption=${say("trial.changes")} rows=${found.changes} columns=${[
        { name: say("trial.before"), show: (each) => sayJudged(each.before) },
        { name: say("trial.after"), show: (each) => sayJudged(each.after) },
        { name: say("trial.messages"), number: true, show: (each) => count(each.outcomes) },
      ]} />`}
      ${found.others > 0 && html`<p class="soft">${say("trial.others", { count: count(found.others) })}</p>`}
      ${isDue && html`<p class="soft">${say("trial.own")}</p>`}
      ${found.precedence.length > 0 && html`<h4>${say("trial.precedence")}</h4>
        <ul>${found.precedence.map((each) => html`<li key=${each.over}>${sayCount("trial.precedence.row", each.outcomes, { over: writeOut(each.over) })}</li>`)}</ul>`}
      ${found.examples.length > 0 && html`<details><summary>${say("trial.examples")}</summary>
        <${Table} caption=${say("trial.examples")} rows=${found.examples} columns=${[
          { name: say("rule.text.column"), wide: true, show: (each) => html`<code>${writeOut(each.text || say("trial.no.text"))}</code>` },
          { name: say("rule.source"), show: (each) => nameSource(each.source) },
          { name: say("trial.before"), show: (each) => sayJudged(each.before) },
          { name: say("trial.after"), show: (each) => sayJudged(each.after) },
        ]} /></details>`}
      ${found.changes.length === 0 && html`<${Empty}>${say("trial.nothing", { count: count(found.outcomes) })}<//>`}
    </article>`;
}

function Causes({ title, counted }) {
  const found = Object.entries(counted);
  if (!found.length) return null;
  return html`<p>${title}: ${found.map(([cause, number]) => say("trial.cause", { cause: say(`cause.${cause}`), count: count(number) })).join(", ")}</p>`;
}

function sayJudged({ status, class: klass, reason, rule }) {
  if (!klass) return say(`status.${status}`);
  if (klass === "undetermined") return say("rule.none");
  return say("rule.meaning", { reason: nameReason(reason), class: say(`class.${klass}`), rule: writeOut(rule) });
}

// ---- From a rule that was tried to one that holds ----------------------------------------------------------------

function MakeReal({ toml, isTried }) {
  const found = useConfiguration();
  if (!found) return null;
  const parameter = found.rules_parameter;
  const load = `aws ssm put-parameter --name ${parameter} --type String --overwrite --value file://rules.toml`;
  return html`
    <details open=${isTried}>
      <summary>${say("real.title")}</summary>
      <ol class="stack">
        <li><p>${parameter ? say("real.copy.parameter", { parameter: writeOut(parameter) }) : say("real.copy")}</p><${CopyButton} label=${say("rule.copy")} text=${() => toml} /></li>
        <li><p>${say(parameter ? "real.load" : "real.load.none")}</p>${parameter && html`<${Command} text=${load} />`}</li>
        <li><p>${say("real.apply")}</p><${Command} text=${`aftersend reevaluate --stack ${found.stack}`} /></li>
      </ol>
    </details>`;
}

function Command({ text }) {
  return html`<pre class="code" tabindex="0" aria-label=${say("real.command")}>${writeOut(text)}</pre><${CopyButton} text=${() => text} />`;
}
