// What whoever is here may do, as far as the API has said. Until it has, everything is offered; the API refuses.
import { say } from "./texts.js";
import { useShared } from "./view.js";

const rights = new Set(["ask", "decide", "bulk"]);
let who = null;
const listeners = new Set();

export function setWho(found) {
  who = found;
  if (found?.rights) {
    rights.clear();
    for (const each of found.rights) rights.add(each);
  }
  for (const each of listeners) each(found);
}

export const useWho = () => useShared(listeners, who);

// Why whoever is here may not do this, or "" where they may. Only what is certain is refused here; the API refuses all else.
export const whyNot = (right) => (rights.has(right) ? "" : say("right.missing", { right: say(`right.${right}`) }));
