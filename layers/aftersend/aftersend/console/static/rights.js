// What whoever is here may do, as far as the API has said. Until it has, everything is offered; the API refuses.
import { say } from "./texts.js";
import { useEffect, useState } from "./view.js";

export const rights = new Set(["ask", "decide", "bulk"]);
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

export function useWho() {
  const [current, setCurrent] = useState(who);
  useEffect(() => {
    listeners.add(setCurrent);
    return () => listeners.delete(setCurrent);
  }, []);
  return current;
}

// Why whoever is here may not do this, or "" where they may. Only what is certain is refused here; the API refuses all else.
export const whyNot = (right) => (rights.has(right) ? "" : say("right.missing", { right: say(`right.${right}`) }));
