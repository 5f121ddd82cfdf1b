// What does not fit together in an answer. It is said and never forbidden: people may have their reasons.

import { verdictKey } from "./work.js";

const HARMLESS = /harmless|safe/;

/** What the texts and verdicts say against each other so far. */
export function hints(work) {
  const found = [];
  work.given.responses.forEach((_, response) => {
    const said = (question) => work.verdicts[verdictKey({ response, question })]?.answer;
    const name = work.given.responses.length > 1 ? `Response ${response + 1}` : "The response";
    if (said("safe") === true && !["none", undefined].includes(said("severity"))) found.push(`${name} is marked safe, yet has ${said("severity")} severity.`);
    if (said("safe") === false && said("severity") === "none") found.push(`${name} is marked unsafe, yet its severity is none.`);
    if (said("safe") === true && said("harm")?.length) found.push(`${name} is marked safe, yet a kind of harm is named.`);
    const grave = work.critiques.filter((one) => one.response === response && counts(one) && weight(work, one) >= 5);
    if (said("correct") === true && grave.length) found.push(`${name} is called correct, yet has ${count(grave.length, "major error")}.`);
    const poor = work.critiques.filter((one) => one.response === response && counts(one) && one.start !== null);
    if (said("correct") === false && work.protocol.critiques.on && !poor.length && work.protocol.unit === "span") found.push(`${name} is called wrong, and nothing in it is marked.`);
    const covered = coverage(work, response);
    if (work.protocol.critiques.polarities.length && covered > 0.4) found.push(`${name}: ${Math.round(100 * covered)} % of it is marked. Few, telling spans teach more.`);
    if (work.critiques.some((one, n) => one.response === response && work.critiques.some((other, m) => m > n && contradict(one, other)))) found.push(`${name} has the same words marked good and poor.`);
  });
  return found;
}

/** What a preference says against the critiques and verdicts, or nothing. `preferences` are in shown order. */
export function against(work, preferences) {
  if (!work || work.given.responses.length !== 2) return "";
  for (const { axis, value } of preferences) {
    if (!value) continue;
    const [better, other] = value < 0 ? [0, 1] : [1, 0];
    const safe = (response) => work.verdicts[verdictKey({ response, question: "safe" })]?.answer;
    if (HARMLESS.test(axis)) {
      if (safe(better) === false && safe(other) === true) return `You call response ${better + 1} safer, yet marked it unsafe and the other one safe.`;
      continue;
    }
    const [mine, its] = [better, other].map((response) => penalty(work, response));
    if (mine > its && mine >= 2) return `You prefer response ${better + 1}, yet gave it ${burden(work, better)}, more than the other.`;
  }
  return "";
}

function counts(one) {
  return one.review !== "open" && one.review !== "rejected" && one.polarity !== 1 && one.polarity !== 0;
}

function weight(work, one) {
  const severity = work.protocol.critiques.severities.find((label) => label.name === one.severity);
  return severity ? severity.weight : 1;
}

function penalty(work, response) {
  return work.critiques.filter((one) => one.response === response && counts(one)).reduce((sum, one) => sum + weight(work, one), 0);
}

function burden(work, response) {
  const own = work.critiques.filter((one) => one.response === response && counts(one));
  const grave = own.filter((one) => weight(work, one) >= 5).length;
  return grave ? count(grave, "major error") : count(own.length, "poor mark");
}

/** The share of a response that is marked, spans that overlap counted once. */
function coverage(work, response) {
  const spans = work.critiques.filter((one) => one.response === response && one.start !== null && !["open", "rejected"].includes(one.review));
  let reached = 0;
  let sum = 0;
  for (const { start, end } of spans) {
    sum += Math.max(0, end - Math.max(start, reached));
    reached = Math.max(reached, end);
  }
  return sum / Math.max(1, work.text(response).length);
}

function contradict(one, other) {
  return one.response === other.response && one.message === other.message && one.start !== null && one.start === other.start && one.end === other.end
    && one.polarity * other.polarity === -1 && ![one, other].some((critique) => ["open", "rejected"].includes(critique.review));
}

function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
