// What every module draws with: Preact, its hooks, and htm, which builds elements out of templates without a compiler.
import { h, render } from "./vendor/preact.js";
import htm from "./vendor/htm.js";
import { useEffect, useState } from "./vendor/hooks.js";

export { render, useEffect, useState };
export { useCallback, useId, useRef } from "./vendor/hooks.js";
export const html = htm.bind(h);

// Something that is shown in several places, each of which is told when it changes: `listeners` are who is told.
export function useShared(listeners, now) {
  const [current, setCurrent] = useState(now);
  useEffect(() => {
    listeners.add(setCurrent);
    return () => listeners.delete(setCurrent);
  }, []);
  return current;
}
