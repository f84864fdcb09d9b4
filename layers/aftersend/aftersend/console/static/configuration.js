// Who is here and how the stack is set up: asked once, after the first answer, for the head and for names.
import { get, Problem } from "./api.js";
import { setWho } from "./rights.js";
import { useEffect, useShared } from "./view.js";

let configuration = null;
let asked = null;
const listeners = new Set();

async function read() {
  try {
    const [who, found] = await Promise.all([get("me"), get("configuration")]);
    configuration = found;
    setWho({ name: who.name, identity: who.identity, rights: who.allowed, region: found.region, stack: found.stack });
    for (const each of listeners) each(found);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem; // nothing of it is needed to answer
    asked = null;
  }
}

export function askConfiguration() {
  asked ??= read();
  return asked;
}

export function useConfiguration() {
  useEffect(() => { askConfiguration(); }, []);
  return useShared(listeners, configuration);
}
