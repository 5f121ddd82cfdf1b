// What is still to be answered, in order: of each unit, then of each response; one of them is in hand.

import { verdictKey } from "./work.js";

export class Asks {
  /** @param {import("./work.js").Work} work */
  constructor(work) {
    this.work = work;
    this.questions = work.protocol.questions;
    this.byUnit = this.questions.filter((question) => question.scope === "unit");
    this.whole = this.questions.filter((question) => question.scope === "response");
    this.confirmed = new Set(); // questions with several labels, when somebody said that these are all
    this.chosen = null;
    this.unit = this.byUnit.length ? { response: 0, number: 0 } : null;
  }

  /** Every question that is asked now, given the answers so far. */
  all() {
    const found = [];
    this.work.given.responses.forEach((_, response) => {
      if (this.byUnit.length) this.units(response).forEach((ask) => found.push(ask));
      found.push(...this.about(this.whole, { response, start: null, end: null }));
    });
    return found;
  }

  /** The questions about the units of a response, up to the one at which judging stops. */
  units(response) {
    const found = [];
    for (const [number, [start, end]] of this.work.units(response).entries()) {
      const asks = this.about(this.byUnit, { response, start, end, number });
      found.push(...asks);
      if (asks.some((ask) => this.stops(ask))) break;
    }
    return found;
  }

  stops(ask) {
    const said = this.said(ask);
    return ask.question.stop !== null && said !== undefined && said.answer === ask.question.stop;
  }

  /** Those of `questions` whose conditions are met at a place. */
  about(questions, place) {
    const asks = questions.map((question) => ({ ...place, question, key: verdictKey({ ...place, question: question.name }) }));
    const answer = (name) => this.work.verdicts[verdictKey({ ...place, question: name })]?.answer;
    return asks.filter(({ question }) => Object.entries(question.when).every(([name, values]) => values.includes(answer(name))));
  }

  said(ask) {
    return this.work.verdicts[ask.key];
  }

  /** Whether a question needs nothing more. */
  settled(ask) {
    const said = this.said(ask);
    if (!said) return !ask.question.required;
    if (ask.question.kind === "choices" && !this.confirmed.has(ask.key) && !said.answer.length) return false;
    if (needsWords(ask.question, said.answer) && !said.comment?.trim()) return false;
    return !(ask.question.evidence === "required" && said.answer === true && !said.evidence);
  }

  open() {
    return this.all().filter((ask) => !this.settled(ask));
  }

  /** The question in hand: the one somebody went to, else the first open one (of the unit in hand). */
  get current() {
    const all = this.all();
    const chosen = all.find((ask) => ask.key === this.chosen);
    if (chosen) return chosen;
    const open = all.filter((ask) => !this.settled(ask) || (ask.question.kind === "choices" && !this.confirmed.has(ask.key)));
    if (!this.unit) return open[0] ?? null;
    const here = open.filter((ask) => ask.response === this.unit.response && ask.number === this.unit.number);
    return here[0] ?? open.find((ask) => ask.start === null) ?? null;
  }

  /** Say something to a question; then the next one is in hand. `answer` null takes it back. */
  answer(ask, answer, stay = false) {
    const { response, start, end, question } = ask;
    this.work.answer({ response, question: question.name, answer, start, end });
    this.chosen = stay ? ask.key : null;
    this.prune();
    if (!stay) this.onward(ask);
  }

  /** What depends on an answer that is no longer given goes with it. */
  prune() {
    const asked = new Set(this.all().map((ask) => ask.key));
    for (const key of Object.keys(this.work.verdicts)) if (!asked.has(key)) delete this.work.verdicts[key];
  }

  confirm(ask) {
    if (!this.said(ask)) this.work.answer({ response: ask.response, question: ask.question.name, answer: [], start: ask.start, end: ask.end });
    this.confirmed.add(ask.key);
    this.chosen = null;
    this.onward(ask);
  }

  /** When everything about a unit is said, the next unit that is open is in hand. */
  onward(ask) {
    if (!this.unit || ask.start === null) return;
    const open = this.open().filter((one) => one.start !== null);
    if (open.some((one) => one.response === this.unit.response && one.number === this.unit.number)) return;
    const later = open.find((one) => one.response > ask.response || (one.response === ask.response && one.number > ask.number));
    const next = later ?? open[0];
    if (next) this.unit = { response: next.response, number: next.number };
  }

  /** With the first unit that is open: after a reload, where one left. */
  begin() {
    const first = this.unit && this.open().find((ask) => ask.start !== null);
    if (first) this.unit = { response: first.response, number: first.number };
  }

  /** Go to the next (1) or the previous (-1) unit. */
  step(direction) {
    if (!this.unit) return false;
    let { response, number } = this.unit;
    number += direction;
    const responses = this.work.given.responses.length;
    if (number < 0 && response > 0) number = this.work.units(--response).length - 1;
    else if (number >= this.work.units(response).length && response + 1 < responses) [response, number] = [response + 1, 0];
    if (number < 0 || number >= this.work.units(response).length) return false;
    this.go({ response, number });
    return true;
  }

  /** Take a unit in hand; where all is said of it, its first answer can be given anew. */
  go(unit) {
    this.unit = unit;
    const [start, end] = this.span;
    const asks = this.about(this.byUnit, { ...unit, start, end });
    const said = asks.every((ask) => this.settled(ask));
    this.chosen = said ? (asks.find((ask) => ask.question.kind !== "text")?.key ?? null) : null;
  }

  /** Answers that were committed before need no second confirmation. */
  takeUp() {
    for (const key of Object.keys(this.work.verdicts)) this.confirmed.add(key);
  }

  /** [start, end) of the unit in hand. */
  get span() {
    return this.unit ? (this.work.units(this.unit.response)[this.unit.number] ?? null) : null;
  }

  /** Which unit of a response a place is in; -1 for none. */
  unitAt(response, offset) {
    return this.work.units(response).findIndex(([start, end]) => start <= offset && offset <= end);
  }

  /** Join the unit in hand with the next one, or split it at a place; what was said of the parts goes. */
  mend(how, at = null) {
    const { response, number } = this.unit;
    const spans = this.work.units(response).map((span) => [...span]);
    const [start, end] = spans[number];
    if (how === "join") {
      if (number + 1 >= spans.length) return false;
      spans.splice(number, 2, [start, spans[number + 1][1]]);
    } else {
      if (at === null || at <= start || at >= end) return false;
      const [left, right] = trimmed(this.work.text(response), start, at, end);
      if (left[0] >= left[1] || right[0] >= right[1]) return false;
      spans.splice(number, 1, left, right);
    }
    const known = new Set(spans.map((span) => `${span[0]}:${span[1]}`));
    this.work.change(how === "join" ? "Joined" : "Split", (state) => {
      state.units[response] = spans;
      for (const [key, said] of Object.entries(state.verdicts)) {
        if (said.response === response && said.start !== null && !known.has(`${said.start}:${said.end}`)) delete state.verdicts[key];
      }
    });
    return true;
  }
}

/** Whether words must go with an answer. */
export function needsWords(question, answer) {
  return question.comment === "required" || question.comment_for.includes(answer);
}

/** Two parts of a span, without the white space between them. */
function trimmed(text, start, at, end) {
  const signs = [...text];
  let left = at;
  let right = at;
  while (left > start && /\s/.test(signs[left - 1])) left--;
  while (right < end && /\s/.test(signs[right])) right++;
  return [[start, left], [right, end]];
}
