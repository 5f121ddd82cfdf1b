// The keys of critiques, questions and ranks: what each means depends on what is in hand.

import { digitOf, inField } from "./keys.js";
import { keyed } from "./questions.js";

const POLARITY = { "+": 1, "=": 1, "-": -1, ".": 0 };
const EDGES = { "[": ["start", -1], "{": ["start", 1], "]": ["end", 1], "}": ["end", -1] };

/** The label that a key chooses: the one that has it as its key, else the one in the place of the digit. */
function labelled(labels, event) {
  const digit = digitOf(event);
  const key = digit === null ? event.key : String(digit);
  const inPlace = digit ? labels[digit - 1] : null;
  return labels.find((label) => label.key && label.key === key) ?? (inPlace?.key ? null : inPlace) ?? null;
}

export class CriticKeys {
  /** @param {import("./critic.js").Critic} critic */
  constructor(critic) {
    this.critic = critic;
  }

  /** Whether the key meant something here. */
  onKey(event) {
    if (this.critic.caret.on && !inField(event.target) && this.critic.caret.onKey(event)) return true;
    if (event.key === "Enter" && !event.isComposing && !event.ctrlKey && !event.metaKey && !inField(event.target)) return this.onEnter(event);
    if (!this.critic.keys.single(event)) return false;
    const marked = this.critic.texts.selected();
    const one = this.critic.work.selected;
    if (marked && !this.critic.picking && this.critic.spans) return this.onMarked(event, marked);
    if (one && one.review !== "rejected" && this.onSelected(event, one)) return true;
    if (event.shiftKey && digitOf(event) !== null) return false;
    const { current } = this.critic.asks;
    if (current && !event.altKey) {
      const value = keyed(current.question, digitOf(event) === null ? event.key : String(digitOf(event)));
      if (value !== undefined) return this.critic.choose(current, value), true;
    }
    if (this.critic.ranking && !event.altKey) {
      if (event.key === "=") return (this.critic.ranking.tie = true), this.critic.notices.say("The next one is a tie."), true;
      if (digitOf(event)) return this.critic.ranking.press(digitOf(event) - 1);
    }
    return false;
  }

  onMarked(event, marked) {
    const digit = digitOf(event);
    if (marked.document !== undefined) {
      if (digit) this.critic.notices.say("Only a response is critiqued. To prove something, press V first.");
      return Boolean(digit);
    }
    const { types, polarities } = this.critic.protocol.critiques;
    const type = event.shiftKey ? null : labelled(types, event);
    if (type) return this.critic.takeSelection({ type: type.name });
    const polarity = POLARITY[event.key];
    return polarity !== undefined && polarities.length ? this.critic.takeSelection({ polarity }) : false;
  }

  onSelected(event, one) {
    const { types, severities, polarities } = this.critic.protocol.critiques;
    const severity = labelled(severities, event);
    if (severity && (event.shiftKey || !digitOf(event))) return this.critic.edit(one.id, { severity: severity.name }, "Severity"), true;
    const type = event.shiftKey ? null : labelled(types, event);
    if (type) return this.critic.edit(one.id, { type: type.name }, "Type"), true;
    const polarity = POLARITY[event.key];
    if (polarity !== undefined && polarities.length) return this.critic.edit(one.id, { polarity }, "Polarity"), true;
    return one.start !== null && one.unit === "span" ? this.nudge(event, one) : false;
  }

  /** [ and ] move the edges outwards, { and } inwards; with Alt by a word. */
  nudge(event, one) {
    const way = EDGES[event.key];
    if (!way) return false;
    const [edge, direction] = way;
    const map = this.critic.texts.of(one.response, one.message);
    const moved = { start: one.start, end: one.end, [edge]: map.next(one[edge], event.altKey ? "word" : "character", direction) };
    if (moved.start > moved.end || (moved.start === moved.end && !one.omission)) return true;
    this.critic.edit(one.id, { ...moved, quote: map.text(moved.start, moved.end), omission: moved.start === moved.end }, "Moved an edge", "nudge");
    this.critic.margin.render();
    return true;
  }

  onEnter(event) {
    if (event.target.closest("button, a, summary")) return false;
    if (this.critic.texts.selected()) return this.critic.takeSelection();
    if (this.critic.caret.on && this.critic.protocol.critiques.omission && this.critic.spans) {
      const where = this.critic.texts.around(this.critic.caret.map.root);
      if (where.document === undefined) return this.critic.addAt({ response: where.response, message: where.message, start: this.critic.caret.at, end: this.critic.caret.at, omission: true }), true;
    }
    const { current } = this.critic.asks;
    if (current?.question.kind === "choices") return this.critic.confirm(current), true;
    if (current?.question.kind === "text") return this.critic.margin.focus(`${current.key}:text`);
    const one = this.critic.work.selected;
    const lack = one && !["open", "rejected"].includes(one.review) ? this.critic.lacks(one) : null;
    if (!lack) return false;
    this.critic.margin.wants(one.id, lack[0]);
    this.critic.notices.say(lack[1]);
    return true;
  }

  /** Out of what is in hand; whether there was anything. */
  onEscape() {
    if (this.critic.picking) {
      this.critic.caret.stop();
      return this.critic.pick(this.critic.picking), true;
    }
    if (this.critic.caret.on) return this.critic.caret.stop(), true;
    if (!getSelection().isCollapsed) return getSelection().removeAllRanges(), true;
    if (this.critic.work.current) return this.critic.work.select(null), true;
    return false;
  }

  /** The acts of the key map that are about critiques; whether it was one. */
  act(name) {
    const one = this.critic.work.selected;
    const response = one?.response ?? this.critic.asks.unit?.response ?? 0;
    const acts = {
      next: () => this.step(1),
      previous: () => this.step(-1),
      accept: () => (one?.from ? this.critic.review(one.id, "accept") : this.critic.acceptVerdicts() || this.firstOpen((open) => this.critic.review(open.id, "accept"))),
      reject: () => (one ? this.critic.remove(one.id) : this.firstOpen((open) => this.critic.review(open.id, "reject"))),
      edit: () => (one ? this.critic.review(one.id, "edit") : this.toWords() || this.firstOpen((open) => this.critic.review(open.id, "edit"))),
      remove: () => one && this.critic.remove(one.id),
      "accept-all": () => this.critic.notices.say(`${this.critic.work.acceptAll()} accepted. U takes it back.`),
      caret: () => (this.critic.caret.on && !this.critic.picking ? this.critic.caret.stop() : this.critic.caret.start(this.critic.caretPlace())),
      whole: () => this.critic.spans && this.critic.addAt({ response, unit: "response" }),
      missing: () => this.critic.spans && this.critic.protocol.critiques.omission && this.critic.addAt({ response, unit: "response", omission: true }),
      critique: () => this.critic.asks.span && this.critic.spans && this.critic.addAt({ response, unit: this.critic.protocol.unit, start: this.critic.asks.span[0], end: this.critic.asks.span[1] }),
      evidence: () => this.pickCurrent(one),
      join: () => this.critic.asks.unit && this.critic.asks.mend("join"),
      split: () => this.critic.asks.unit && (this.critic.asks.mend("split", this.critic.caret.on ? this.critic.caret.at : (this.critic.texts.selected()?.start ?? this.critic.place?.offset ?? null)) || this.critic.notices.say("Put the caret where it should be split.")),
      raw: () => this.critic.toggleRaw(),
      redo: () => this.critic.notices.say(this.critic.work.redo() ? "Done again." : "There is nothing to do again."),
    };
    if (!(name in acts)) return false;
    acts[name]();
    return true;
  }

  firstOpen(act) {
    const open = this.critic.work.critiques.find((one) => one.review === "open");
    if (open) act(open);
    else this.critic.notices.say("No suggestion is open.");
  }

  /** Into the words of the question in hand; whether it has any. */
  toWords() {
    const ask = this.critic.asks.current;
    return Boolean(ask) && (this.critic.margin.focus(`${ask.key}:comment`) || this.critic.margin.focus(`${ask.key}:text`));
  }

  pickCurrent(one) {
    if (one && this.critic.protocol.critiques.evidence) return this.pickByKey({ id: one.id });
    const ask = this.critic.asks.current;
    const last = ask && ask.question.evidence !== "off" ? ask : this.critic.asks.all().find((each) => each.question.evidence !== "off" && (!this.critic.asks.unit || each.number === this.critic.asks.unit.number));
    if (last) this.pickByKey({ ask: last.key });
  }

  /** By keyboard the caret goes along, into the document that may prove it. */
  pickByKey(target) {
    this.critic.pick(target);
    if (this.critic.picking) this.critic.caret.start(this.critic.caretPlace());
    else this.critic.caret.stop();
  }

  step(direction) {
    if (this.critic.asks.unit) {
      if (this.critic.asks.step(direction)) this.critic.goUnit(this.critic.asks.unit);
      return;
    }
    const next = this.critic.work.neighbour(direction);
    if (next) this.critic.work.select(next.id);
    else this.critic.notices.say(this.critic.work.critiques.length ? "There are no more." : "There are no critiques yet.");
  }
}
