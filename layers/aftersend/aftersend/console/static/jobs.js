// Jobs that go on after their answer: asked about less and less often, and not at all while nobody looks.
import { get, part } from "./api.js";

const FIRST = 2000;
const LONGEST = 15_000;

export const isOver = (job) => job.state === "done" || job.state === "failed";

// Follow a job to its end; `tell` hears of each answer. `isWanted` says whether anybody still waits.
export async function followJob(job, tell, isWanted = () => true) {
  let [current, wait] = [job, FIRST];
  tell(current);
  while (!isOver(current) && isWanted()) {
    await pause(wait);
    wait = Math.min(wait * 1.5, LONGEST);
    current = await get(`jobs/${part(job.id)}`);
    tell(current);
  }
  return current;
}

const pause = (time) => new Promise((resolve) => {
  const end = () => {
    if (document.hidden) document.addEventListener("visibilitychange", resolve, { once: true });
    else resolve();
  };
  setTimeout(end, time);
});
