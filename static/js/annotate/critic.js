// Everything that a task asks besides a preference: critiques, questions, ranks, and the suggestions of models.
// One Critic is made for a task when it is shown, and let go of when the next one is.

import { Asks, needsWords } from "./asks.js";
import { Caret, intoView } from "./caret.js";
import { CriticKeys } from "./critickeys.js";
import { hints } from "./hints.js";
import { inField } from "./keys.js";
import { Margin } from "./margin.js";
import { at, Marks } from "./marks.js";
import { Ranking } from "./ranking.js";
import { Selecting } from "./selecting.js";
import { Texts } from "./texts.js";
import { Drafts, Work } from "./work.js";

export class Critic {
  /**
   * @param {HTMLElement} element  the task, with its sources in data-work
   * @param {Object} desk          protocol, keys, notices, and where the draft is kept
   */
  constructor(element, desk) {
    Object.assign(this, { element, protocol: desk.protocol, keys: desk.keys, notices: desk.notices, picking: null });
    const given = JSON.parse(element.dataset.work);
    this.work = new Work(this.protocol, given, new Drafts(desk.draft));
    this.asks = new Asks(this.work);
    this.texts = new Texts(element, given);
    this.marks = new Marks(this.protocol);
    this.margin = new Margin(element.querySelector(".margin"), this);
    this.ranking = this.protocol.kind === "ranking" ? new Ranking(element, this.work) : null;
    this.caret = new Caret(this);
    this.selecting = new Selecting(this);
    this.onKeys = new CriticKeys(this);
    this.raw = false;
  }

  /** Whether any span of a response may be critiqued. */
  get spans() {
    return this.protocol.critiques.on;
  }

  attach() {
    this.selecting.attach(this.element);
    this.work.addEventListener("change", (event) => this.changed(event.detail));
    this.work.addEventListener("select", (event) => this.selected(event.detail.before));
    this.element.addEventListener("mousedown", (event) => this.onPress(event));
    this.element.addEventListener("click", (event) => this.onClick(event));
    this.asks.begin();
    this.render();
  }

  detach() {
    this.selecting.detach();
    this.caret.stop();
    this.marks.clear();
  }

  render() {
    this.margin.render();
    this.ranking?.render();
    this.draw();
    this.element.dispatchEvent(new CustomEvent("critic", { bubbles: true }));
  }

  draw() {
    this.marks.draw(this.work.critiques, this.work.current, (one) => this.texts.of(one.response, one.message));
    this.drawUnits();
    if (this.caret.on) this.caret.draw();
  }

  drawUnits() {
    const { unit, span } = this.asks;
    const map = unit && this.texts.of(unit.response);
    if (!map) return;
    this.marks.show("unit-current", span ? map.rangesOf(...span) : [], 5);
    const groups = { green: [], red: [], grey: [] };
    this.work.given.responses.forEach((_, response) => {
      for (const one of this.work.units(response)) {
        const colour = this.margin.colourOf(response, one);
        if (colour) groups[colour].push(...this.texts.of(response).rangesOf(...one));
      }
    });
    for (const [colour, ranges] of Object.entries(groups)) this.marks.show(`unit-${colour}`, ranges);
  }

  changed({ typing }) {
    if (!typing) return this.render();
    this.draw();
    this.margin.retell(this.work.selected);
  }

  selected(before) {
    if (this.asks.unit) this.render();
    else {
      this.margin.turn([before, this.work.current]);
      this.draw();
    }
    const one = this.work.selected;
    if (!one) return;
    this.margin.reveal(one.id);
    const map = one.start === null ? null : this.texts.of(one.response, one.message);
    const ranges = map ? this.marks.rangesOf(map, one) : [];
    if (ranges.length) intoView(ranges[0]);
    this.announce(this.margin.spoken(one));
  }

  announce(words) {
    this.notices.live.textContent = words;
  }

  /** To the ears alone. */
  say(words, more = "") {
    this.notices.live.textContent = words + more;
  }

  /** The words of a span as they are shown, without the signs of Markdown. */
  shown(one) {
    const map = this.texts.of(one.response, one.message);
    const words = map && one.end > one.start ? map.rangesOf(one.start, one.end).map(String).join("") : "";
    return words.trim() || one.quote;
  }

  nameOf(name) {
    const [first, second] = name.split(".");
    return first === "document" ? `Document ${Number(second) + 1}` : `Response ${Number(first) + 1}`;
  }

  /** A question with its state and its acts, for the margin. */
  viewOf(ask, current) {
    return {
      current,
      said: this.asks.said(ask),
      suggested: this.work.suggestedVerdicts.get(ask.key),
      picking: this.picking?.ask === ask.key,
      answer: (value, merge) => this.work.answer({ ...where(ask), answer: value, merge }),
      choose: (value) => this.choose(ask, value),
      confirm: () => this.confirm(ask),
      comment: (comment) => this.work.answer({ ...where(ask), answer: this.asks.said(ask).answer, comment, merge: "comment" }),
      evidence: () => this.pick({ ask: ask.key }),
      done: () => this.written(ask),
    };
  }

  /** An answer pressed: of one label that one, of several it is added or taken away; the same again takes it back. */
  choose(ask, value) {
    const said = this.asks.said(ask);
    if (ask.question.kind === "choices") {
      const chosen = said?.answer ?? [];
      return this.asks.answer(ask, chosen.includes(value) ? chosen.filter((one) => one !== value) : [...chosen, value], true), this.render();
    }
    const again = said && said.answer === value;
    const wordy = needsWords(ask.question, value);
    const stay = again || wordy || (ask.question.evidence === "required" && value === true);
    this.asks.answer(ask, again ? null : value, stay);
    this.render();
    if (!again && wordy) this.margin.focus(`${ask.key}:comment`);
    this.followUnit();
  }

  /** The words of a question were written: when it needs nothing more, the next one is in hand. */
  written(ask) {
    if (!this.asks.settled(ask)) return;
    this.asks.chosen = null;
    this.asks.onward(ask);
    this.render();
    this.followUnit();
  }

  confirm(ask) {
    this.asks.confirm(ask);
    this.render();
    this.followUnit();
  }

  followUnit() {
    const map = this.asks.unit && this.texts.of(this.asks.unit.response);
    const ranges = map && this.asks.span ? map.rangesOf(...this.asks.span) : [];
    if (ranges.length) intoView(ranges[0]);
  }

  goUnit(unit) {
    this.asks.go(unit);
    this.work.select(null);
    this.render();
    this.followUnit();
    const [start, end] = this.asks.span;
    this.say(`${this.protocol.unit} ${unit.number + 1}: ${this.texts.of(unit.response).text(start, end)}`);
  }

  select(id) {
    this.work.select(id);
  }

  edit(id, fields, words, merge) {
    this.work.edit(id, fields, words, merge);
  }

  remove(id) {
    const one = this.work.critiques.find((critique) => critique.id === id);
    if (one.from) return this.review(id, "reject");
    this.work.remove(id);
    this.notices.say("Removed. U brings it back.");
  }

  /** A critique of a place, or of a whole response; its comment is ready to be written. */
  addAt(place) {
    const quote = place.start === undefined ? "" : this.texts.of(place.response, place.message ?? 0).text(place.start, place.end);
    const { types, polarities } = this.protocol.critiques;
    const id = this.work.add({ type: types.length === 1 ? types[0].name : "", polarity: polarities.length === 1 ? { poor: -1, neutral: 0, good: 1 }[polarities[0]] : null, ...place, quote });
    getSelection().removeAllRanges();
    this.caret.stop();
    if (this.protocol.critiques.comment !== "off" && (this.lacks(this.work.selected)?.[0] ?? "comment") === "comment") this.margin.focus(`${id}:comment`);
    return id;
  }

  /** Make a critique, or evidence, of what is selected; `said` is what the key or button said of it. */
  takeSelection(said = {}) {
    const found = this.texts.selected();
    if (!found) return false;
    if (this.picking) return this.proved(found);
    if (found.document !== undefined || !this.spans) return false;
    const { response, message, start, end } = found;
    if (this.work.critiques.some((one) => one.review === "" && one.response === response && one.message === message && one.start === start && one.end === end && one.type === (said.type ?? "") && one.polarity === (said.polarity ?? null))) {
      this.notices.say("This span has that critique already.");
      return true;
    }
    this.addAt({ response, message, start, end, ...said });
    return true;
  }

  /** Wait for a selection that proves a critique ({id}) or an answer ({ask}); again: no longer. */
  pick(target) {
    const same = this.picking && this.picking.id === target.id && this.picking.ask === target.ask;
    this.picking = same ? null : target;
    this.render();
    if (this.picking) this.notices.say("Select what proves it, then Enter. Esc leaves it.");
  }

  proved({ document: number, response, start, end, quote }) {
    const evidence = number !== undefined ? { document: number, start, end, quote } : { response, start, end, quote };
    const { id, ask } = this.picking;
    this.picking = null;
    getSelection().removeAllRanges();
    this.caret.stop();
    if (id) this.edit(id, { evidence }, "Evidence");
    else {
      const found = this.asks.all().find((one) => one.key === ask);
      this.work.answer({ ...where(found), answer: this.asks.said(found)?.answer ?? true, evidence });
      this.asks.chosen = null;
      this.asks.onward(found);
    }
    this.render();
    return true;
  }

  /** accept, reject, edit or reopen a suggestion; accepting and rejecting go on to the next open one. */
  review(id, act) {
    if (act === "edit") {
      this.work.select(id);
      return this.margin.focus(`${id}:comment`) || this.margin.focus(`${id}:name`);
    }
    const held = this.margin.holds(id);
    this.work.review(id, { accept: "accepted", reject: "rejected", reopen: "open" }[act]);
    if (act === "reopen") return this.work.select(id);
    const { critiques } = this.work;
    const number = critiques.findIndex((one) => one.id === id);
    const next = [...critiques.slice(number + 1), ...critiques.slice(0, number)].find((one) => one.review === "open");
    this.work.select(next?.id ?? null);
    if (held) this.margin.focus(`${next?.id}:${act}`) || this.margin.focus(`${id}:name`);
    if (!next) this.announce("All suggestions are looked at.");
  }

  /** Accept what a model says to the questions in hand. */
  acceptVerdicts() {
    const asks = this.asks.unit ? this.asks.all().filter((ask) => ask.response === this.asks.unit.response && ask.number === this.asks.unit.number) : [this.asks.current];
    let taken = 0;
    for (let ask of asks) {
      const suggested = ask && this.work.suggestedVerdicts.get(ask.key);
      if (!suggested || this.asks.said(ask)) continue;
      const { answer, comment, evidence } = suggested;
      this.work.answer({ ...where(ask), answer, comment, evidence });
      this.asks.confirmed.add(ask.key);
      taken++;
    }
    if (taken) {
      this.asks.onward(asks.at(-1));
      this.render();
      this.followUnit();
    }
    return taken > 0;
  }

  hints() {
    return hints(this.work);
  }

  onKey(event) {
    return this.onKeys.onKey(event);
  }

  onEscape() {
    return this.onKeys.onEscape();
  }

  act(name) {
    return this.onKeys.act(name);
  }

  /** A button pressed with the mouse takes no focus, so that Enter submits and keys go on as before. */
  onPress(event) {
    if (!event.target.closest("button")) return;
    event.preventDefault();
    if (inField(document.activeElement)) document.activeElement.blur();
  }

  onClick(event) {
    if (event.target.closest("button, a, textarea, summary") || !getSelection().isCollapsed) return;
    const where = this.texts.under(event);
    if (!where || where.document !== undefined) return;
    const { offset } = where;
    this.place = { name: where.name, offset };
    const [critique] = at(this.work.critiques.filter((one) => one.review !== "rejected"), where, offset);
    const unit = this.asks.unit && where.message === 0 ? this.asks.unitAt(where.response, offset) : -1;
    if (critique) this.work.select(critique.id);
    else if (unit >= 0) this.goUnit({ response: where.response, number: unit });
    else this.work.select(null);
  }

  /** Where caret mode begins: in the critique in hand, at the last click, in the unit in hand, else at the beginning. */
  caretPlace() {
    const one = this.work.selected;
    if (this.picking && this.work.given.documents.length) return { name: "document.0", offset: this.texts.named("document.0").first };
    if (one && one.start !== null) return { name: `${one.response}.${one.message}`, offset: one.start };
    if (this.place) return this.place;
    const { unit, span } = this.asks;
    if (span) return { name: `${unit.response}.0`, offset: span[0] };
    const inside = document.activeElement?.closest(".response, .documents")?.querySelector("[data-text]");
    const name = inside?.dataset.text ?? "0.0";
    return { name, offset: this.texts.named(name).first };
  }

  toggleRaw() {
    this.raw = !this.raw;
    this.texts.toggle(this.raw);
    this.draw();
    this.element.dispatchEvent(new CustomEvent("texts", { bubbles: true }));
    this.notices.say(this.raw ? "As written." : "Rendered.");
  }

  /** What a critique still needs: its field and how to say so; nothing when it is complete. */
  lacks(one) {
    const asked = this.protocol.critiques;
    if (asked.polarities.length && one.polarity === null) return ["polarity", "Say whether it is good or poor."];
    if (asked.types.length && !one.type) return ["type", "Choose a type for this critique."];
    if (asked.severities.length && !one.severity) return ["severity", "Choose a severity for this critique."];
    return asked.comment === "required" && !one.comment.trim() && one.edit === null ? ["comment", "Write a comment on this critique."] : null;
  }

  complete(one) {
    return !this.lacks(one);
  }

  /** What is missing before the answer can be committed, in words, having gone there; nothing when it is complete. */
  missing() {
    const one = this.work.critiques.find((critique) => critique.review !== "open" && critique.review !== "rejected" && !this.complete(critique));
    if (one) {
      const [field, words] = this.lacks(one);
      this.work.select(one.id);
      this.margin.wants(one.id, field);
      return words;
    }
    const [ask] = this.asks.open();
    if (ask) {
      if (ask.start !== null) this.asks.go({ response: ask.response, number: ask.number });
      this.asks.chosen = ask.key;
      this.render();
      this.followUnit();
      const said = this.asks.said(ask);
      if (said && this.margin.focus(`${ask.key}:comment`) && !said.comment?.trim()) return `Say why: ${ask.question.question}`;
      const where = this.work.given.responses.length > 1 ? `, response ${ask.response + 1}` : "";
      return `Still to answer${where}: ${ask.question.question}`;
    }
    return this.ranking && !this.ranking.complete ? "Give every response its place first." : "";
  }

  /** As the API wants it. */
  body() {
    const body = this.work.body();
    return this.ranking ? { ...body, ranks: this.ranking.normalised() } : body;
  }
}

function where({ response, start, end, question }) {
  return { response, start, end, question: question.name };
}
