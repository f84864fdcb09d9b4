// Shares of counts, as the API makes them: with how sure they are (Wilson's interval for 95 %), and never of too few.
// The API gives them for a whole range; for single days they are made here, of its counts and by its own limits.
const Z = 1.959963984540054;
const ENDED = ["delivered", "complained", "bounced_hard", "bounced_soft", "bounced_block", "bounced_ignore", "bounced_complaint", "bounced_undetermined"];
const PARTS = {
  bounce: ["bounced_hard", ENDED],
  complaint: ["complained", ["delivered", "complained"]],
  block: ["bounced_block", ENDED],
};
const FLOOR = 200; // of rates without a limit
const LEAST = 2; // one alone passes no limit

export function findInterval(numerator, denominator) {
  const [share, square] = [numerator / denominator, Z * Z];
  const middle = share + square / (2 * denominator);
  const around = Z * Math.sqrt((share * (1 - share)) / denominator + square / (4 * denominator ** 2));
  const scale = 1 + square / denominator;
  return [Math.max(0, (middle - around) / scale), Math.min(1, (middle + around) / scale)];
}

export function makeRate(kind, counts, limits) {
  const [part, whole] = PARTS[kind];
  const denominator = whole.reduce((sum, each) => sum + (counts[each] ?? 0), 0);
  const numerator = counts[part] ?? 0;
  if (!denominator) return null;
  const [low, high] = findInterval(numerator, denominator);
  const isEnough = denominator >= (limits?.floor ?? FLOOR);
  const isPassed = isEnough && limits && numerator >= LEAST && low > limits.review;
  const level = !limits ? undefined : !isEnough ? "too_few" : !isPassed ? "fine" : low > limits.pause ? "pause" : "review";
  return { numerator, denominator, rate: isEnough ? numerator / denominator : undefined, low, high, level };
}

export function addCounts(all) {
  const sum = {};
  for (const counts of all) for (const [name, number] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + number;
  return sum;
}

// One decimal for bounces, two for complaints; of nothing "0 of 1,000" says it, and no "0.00 %".
const DECIMALS = { bounce: 1, complaint: 2, block: 1 };
export const writeShare = (kind, share) => `${(share * 100).toFixed(DECIMALS[kind])} %`;
