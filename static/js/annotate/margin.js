// The margin beside the texts: questions, and the critiques in the order of the text. The critique in hand is open
// for editing in its place; nothing of this is a dialog.

import { differing } from "./difference.js";
import { brief, h } from "./element.js";
import { originOf, questionElement, words } from "./questions.js";

const POLARITIES = { poor: [-1, "Poor", "−"], neutral: [0, "Neutral", "."], good: [1, "Good", "+"] };

export class Margin {
  /**
   * @param {HTMLElement} root  the margin's element
   * @param {Object} critic     work, asks, marks, picking, and the acts of its buttons
   */
  constructor(root, critic) {
    this.root = root;
    this.critic = critic;
  }

  render() {
    const { work } = this.critic;
    const inside = this.root.contains(document.activeElement);
    const focus = inside ? document.activeElement.closest("[data-focus]") : null;
    const kept = focus ? { name: focus.dataset.focus, start: focus.selectionStart, end: focus.selectionEnd } : null;
    const scroll = this.root.scrollTop;
    const several = work.given.responses.length > 1;
    const parts = work.given.responses.map((_, response) => this.part(response, several));
    this.root.replaceChildren(...this.head(), ...parts.filter(Boolean), this.hints());
    this.root.scrollTop = scroll;
    if (inside && !(kept && this.focus(kept.name, kept.start, kept.end)) && !this.focus(`${work.current}:name`)) this.root.focus({ preventScroll: true });
  }

  /** Whether the keyboard is in the card of a critique. */
  holds(id) {
    return Boolean(this.root.querySelector(`[data-id="${CSS.escape(id)}"]`)?.contains(document.activeElement));
  }

  /** Make some cards anew, and leave the others; two hundred are not made again for one that is opened. */
  turn(ids) {
    const inside = this.root.contains(document.activeElement);
    for (const id of ids) {
      const one = this.critic.work.critiques.find((critique) => critique.id === id);
      const card = one && this.root.querySelector(`[data-id="${CSS.escape(id)}"]`);
      if (card) card.replaceWith(this.card(one));
    }
    if (inside && !this.root.contains(document.activeElement) && !this.focus(`${this.critic.work.current}:name`)) this.root.focus({ preventScroll: true });
  }

  focus(name, start = null, end = start) {
    const field = this.root.querySelector(`[data-focus="${CSS.escape(name)}"]`);
    if (!field) return false;
    field.focus({ preventScroll: true });
    if (start !== null && field.setSelectionRange) field.setSelectionRange(start, end);
    field.scrollIntoView({ block: "nearest" });
    return true;
  }

  /** To what a critique lacks: into its words; chips are only shown, since their keys work from anywhere. */
  wants(id, field) {
    if (this.focus(`${id}:${field}`)) return;
    const chips = this.root.querySelector(`[data-focus^="${CSS.escape(`${id}:${field}`)}"]`)?.parentElement;
    chips?.scrollIntoView({ block: "nearest" });
    chips?.classList.add("chips--wanted");
  }

  head() {
    const parts = [];
    const { help, suggestions } = this.critic.work.given;
    const open = this.critic.work.critiques.filter((one) => one.review === "open").length;
    if (help === "revealed") parts.push(h("p.notice.margin__reveal", { role: "status" }, suggestions.length ? "You have answered. Now see what the models say: Enter keeps your answer, another one takes its place." : "You have answered. Enter goes on."));
    if (open) parts.push(h("p.margin__open", {}, h("span", {}, `${open} suggestion${open > 1 ? "s" : ""} to look at`), h("button.button.button--small", { type: "button", "data-act": "accept-all" }, "Accept all", this.key("accept-all"))));
    if (this.critic.asks.unit) parts.push(this.unitHead());
    return parts;
  }

  unitHead() {
    const { asks, work } = this.critic;
    const { response, number } = asks.unit;
    const units = work.units(response);
    const noun = work.protocol.unit === "step" ? "Step" : "Sentence";
    const settled = units.map(([start, end], n) => asks.about(asks.byUnit, { response, start, end, number: n }).every((ask) => asks.settled(ask) && asks.said(ask)));
    const strip = h("div.units", { role: "group", "aria-label": `${noun}s` }, units.map((_, n) => h("button.units__one", {
      type: "button", "aria-label": `${noun} ${n + 1}${settled[n] ? ", answered" : ""}`, "aria-current": n === number ? "true" : null, "data-settled": settled[n], "data-answer": this.colourOf(response, units[n]),
      on: { click: () => this.critic.goUnit({ response, number: n }) },
    }, String(n + 1))));
    return h("div.margin__units", {}, h("h3", {}, `${noun} ${number + 1} of ${units.length}`), strip);
  }

  /** The colour of the first answer about a unit: green for yes or right, red for no or wrong. */
  colourOf(response, [start]) {
    const { asks, work } = this.critic;
    for (const question of [...asks.byUnit].reverse()) {
      const answer = work.verdicts[`${response}|${question.name}|${start}`]?.answer;
      if (answer === undefined || typeof answer === "string" || Array.isArray(answer)) continue;
      return answer === true || answer > 0 ? "green" : answer === 0 ? "grey" : "red";
    }
    return null;
  }

  part(response, several) {
    const { work, protocol } = this.critic;
    const questions = this.questions(response);
    const critiques = work.critiques.filter((one) => one.response === response && this.here(one));
    const on = protocol.critiques.on;
    if (!questions.length && !on) return null;
    return h("section.margin__part", { "aria-label": several ? `About response ${response + 1}` : "About the response" },
      several ? h("h3.margin__title", {}, `Response ${response + 1}`) : null,
      questions,
      on ? h("ol.critiques", { "aria-label": several ? `Critiques of response ${response + 1}` : "Critiques" }, critiques.map((one) => this.card(one))) : null,
      on ? this.adders(response, critiques.length) : null);
  }

  /** With units, the margin shows what is about the one in hand, or about the whole. */
  here(one) {
    const { asks } = this.critic;
    if (!asks.unit || one.start === null) return true;
    const span = asks.span;
    return one.id === this.critic.work.current || (one.response === asks.unit.response && span && one.start < span[1] && span[0] <= one.end);
  }

  questions(response) {
    const { asks } = this.critic;
    const found = [];
    if (asks.unit?.response === response && asks.span) {
      const [start, end] = asks.span;
      found.push(...asks.about(asks.byUnit, { response, start, end, number: asks.unit.number }));
    }
    found.push(...asks.about(asks.whole, { response, start: null, end: null }));
    const current = asks.current?.key;
    return found.map((ask) => questionElement(ask, this.critic.viewOf(ask, ask.key === current)));
  }

  adders(response, count) {
    const { protocol, work } = this.critic;
    const several = work.given.responses.length > 1;
    const about = several ? ` ${response + 1}` : "";
    const unit = this.critic.asks.unit;
    const hint = count || unit || response ? null : h("p.hint", {}, "Select words in the response", protocol.critiques.types.length ? " and press a digit, or " : " and press ", h("kbd", {}, "Enter"), ".");
    return h("div.adders", {}, hint,
      unit || response ? null : h("button.button.button--quiet.button--small", { type: "button", "data-act": "caret" }, "Mark by keyboard", this.key("caret")),
      unit?.response === response ? h("button.button.button--quiet.button--small", { type: "button", on: { click: () => this.critic.addAt({ response, unit: protocol.unit, start: this.critic.asks.span[0], end: this.critic.asks.span[1] }) } }, `Critique this ${protocol.unit}`, this.key("critique")) : null,
      h("button.button.button--quiet.button--small", { type: "button", on: { click: () => this.critic.addAt({ response, unit: "response" }) } }, `On the whole response${about}`, this.key("whole", response)),
      protocol.critiques.omission ? h("button.button.button--quiet.button--small", { type: "button", on: { click: () => this.critic.addAt({ response, unit: "response", omission: true }) } }, "Something is missing", this.key("missing", response)) : null);
  }

  key(act, response = 0) {
    const shown = response ? "" : this.critic.keys.shown(act);
    return shown ? h("kbd", { "aria-hidden": "true" }, shown) : null;
  }

  card(one) {
    const { work, marks } = this.critic;
    const open = one.id === work.current;
    const card = h("li.critique", {
      "data-id": one.id, "data-color": marks.colour(one), "data-line": marks.line(one), "data-review": one.review || null, "aria-current": open ? "true" : null,
      on: { click: (event) => event.target.closest("button, textarea") || this.critic.select(one.id) },
    });
    const name = h("button.critique__name", { type: "button", "data-focus": `${one.id}:name`, "aria-expanded": String(open), "aria-label": this.spoken(one), on: { click: () => this.critic.select(open ? null : one.id) } },
      h("span.critique__labels", {}, this.labels(one)), one.start === null ? null : h("q.critique__quote", { dir: "auto" }, one.start === one.end ? "…" : brief(this.critic.shown(one))));
    card.append(name);
    if (one.origin) card.append(this.origin(one));
    if (open && one.review !== "rejected") card.append(this.editor(one));
    else card.append(...this.summary(one));
    if (one.review === "open" || (open && one.from)) card.append(this.reviewButtons(one));
    return card;
  }

  /** While somebody types, the field stays and only what is said of the critique changes. */
  retell(one) {
    const card = one && this.root.querySelector(`[data-id="${CSS.escape(one.id)}"]`);
    if (!card) return;
    card.dataset.review = one.review;
    card.dataset.line = this.critic.marks.line(one);
    card.querySelector(".critique__name").ariaLabel = this.spoken(one);
    if (one.origin) card.querySelector(".critique__origin").replaceWith(this.origin(one));
  }

  labels(one) {
    const { protocol } = this.critic;
    const type = protocol.critiques.types.find((label) => label.name === one.type);
    const severity = protocol.critiques.severities.find((label) => label.name === one.severity);
    const polarity = Object.values(POLARITIES).find(([value]) => value === one.polarity);
    const parts = [polarity && protocol.critiques.polarities.length ? polarity[1] : "", type ? type.label || type.name : one.type, severity ? severity.label || severity.name : one.severity, one.omission ? "missing" : ""];
    return parts.filter(Boolean).join(" · ") || "Critique";
  }

  /** What a screen reader says of a span. */
  spoken(one) {
    const where = one.start === null ? "whole response" : one.start === one.end ? "at a place" : `“${brief(one.quote, 60)}”`;
    const review = { open: "suggested", accepted: "accepted", edited: "accepted with changes", rejected: "rejected" }[one.review];
    return [this.labels(one), where, one.comment && brief(one.comment, 80), review].filter(Boolean).join(", ");
  }

  origin(one) {
    const review = { open: "suggested", accepted: "accepted", edited: "edited", rejected: "rejected" }[one.review];
    return h("p.critique__origin", {}, h("span.badge.badge--model", {}, originOf(one)), ` ${review}`);
  }

  summary(one) {
    const parts = [];
    if (one.comment) parts.push(h("p.critique__comment", { dir: "auto" }, one.comment));
    if (one.edit !== null) parts.push(editDiff(one.quote, one.edit));
    if (one.evidence) parts.push(h("p.critique__evidence", { dir: "auto" }, "Evidence: ", one.evidence.url ?? h("q", {}, brief(one.evidence.quote ?? ""))));
    return parts;
  }

  reviewButtons(one) {
    const button = (act, label, style) => h(`button.button.button--small${style}`, { type: "button", "data-focus": `${one.id}:${act}`, on: { click: () => this.critic.review(one.id, act) } }, label, this.key(act));
    const open = one.review === "open";
    return h("div.critique__review", {},
      one.review === "accepted" ? null : button("accept", one.review === "edited" ? "As suggested" : "Accept", open ? ".button--primary" : ""),
      one.id === this.critic.work.current || one.review === "rejected" ? null : button("edit", "Edit", ""),
      one.review === "rejected" ? button("reopen", "Open again", "") : button("reject", "Reject", ""));
  }

  editor(one) {
    const asked = this.critic.protocol.critiques;
    const set = (fields, words) => this.critic.edit(one.id, fields, words);
    const box = h("div.critique__editor", {});
    if (asked.polarities.length) box.append(this.chips(one, "polarity", asked.polarities.map((name) => ({ value: POLARITIES[name][0], label: POLARITIES[name][1], key: POLARITIES[name][2], color: { poor: "red", good: "green" }[name] ?? "grey" })), (value) => set({ polarity: value })));
    if (asked.types.length) box.append(this.chips(one, "type", asked.types.map((label, n) => ({ ...label, value: label.name, label: label.label || label.name, key: label.key || (n < 9 ? String(n + 1) : ""), color: this.critic.marks.colours.get(label.name) })), (value) => set({ type: value })));
    if (asked.severities.length) box.append(this.chips(one, "severity", asked.severities.map((label, n) => ({ ...label, value: label.name, label: label.label || label.name, key: label.key || (n < 9 ? `⇧${n + 1}` : "") })), (value) => set({ severity: value })));
    if (asked.comment !== "off") box.append(words(asked.comment === "required" ? "Comment (required)" : "Comment", one.comment, (text) => this.critic.edit(one.id, { comment: text }, "Comment", "comment"), `${one.id}:comment`));
    if (asked.edit && one.start !== null) box.append(this.editField(one));
    if (asked.evidence) box.append(this.evidence(one));
    if (!one.from) box.append(h("button.button.button--quiet.button--small.critique__remove", { type: "button", on: { click: () => this.critic.remove(one.id) } }, "Remove", this.key("remove")));
    return box;
  }

  chips(one, field, options, choose) {
    return h("div.chips", { role: "radiogroup", "aria-label": field[0].toUpperCase() + field.slice(1) }, options.map((option) => h("button.chip", {
      type: "button", role: "radio", "aria-checked": String(one[field] === option.value), title: option.about || null, "data-color": option.color || null, "data-focus": `${one.id}:${field}:${option.value}`,
      on: { click: () => choose(option.value) },
    }, option.label, option.key ? h("kbd", { "aria-hidden": "true" }, option.key) : null)));
  }

  editField(one) {
    const field = words(one.start === one.end ? "What should stand here" : "Suggested edit", one.edit ?? "", (text) => this.critic.edit(one.id, { edit: text || (one.edit === null ? null : "") }, "Suggested edit", "edit"), `${one.id}:edit`);
    if (one.edit === null && one.quote) field.addEventListener("focus", () => { field.value ||= one.quote; }, { once: true });
    const diff = h("div.critique__diff", {}, one.edit === null ? null : editDiff(one.quote, one.edit));
    field.addEventListener("input", () => diff.replaceChildren(editDiff(one.quote, field.value)));
    return h("div.critique__edit", {}, field, diff);
  }

  evidence(one) {
    const picking = this.critic.picking?.id === one.id;
    const label = picking ? "Select it in a document or response…" : one.evidence?.quote ? `“${brief(one.evidence.quote)}”` : one.evidence?.url ?? "Link what proves it";
    return h("button.evidence", { type: "button", "aria-pressed": String(picking), "data-focus": `${one.id}:evidence`, on: { click: () => this.critic.pick({ id: one.id }) } }, label, this.key("evidence"));
  }

  hints() {
    const found = this.critic.hints();
    return h("div.hints", { role: "status", "aria-label": "Hints" }, found.map((words) => h("p.hints__one", {}, words)));
  }

  /** Bring a card into view, and the span it speaks of. */
  reveal(id) {
    this.root.querySelector(`[data-id="${CSS.escape(id)}"]`)?.scrollIntoView({ block: "nearest" });
  }
}

function whole(before, after) {
  return h("p.diff", { dir: "auto", "aria-label": `Suggested edit: ${after || "delete it"}` }, before ? h("del", {}, before) : null, before && after ? " " : null, after ? h("ins", {}, after) : null);
}

/** A suggested edit as what goes and what comes; word by word where most of it stays. */
export function editDiff(before, after) {
  const split = (text) => text.match(/\s+|[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu) ?? [];
  const [a, b] = [split(before), split(after)];
  const words = (list) => list.filter((part) => part.trim()).length;
  const kept = words(a) - differing(a.filter((part) => part.trim()), b.filter((part) => part.trim()))[0].length;
  if (kept < 0.5 * Math.min(words(a), words(b))) return whole(before, after);
  const [gone, come] = differing(a, b).map((list) => new Set(list));
  const parts = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && gone.has(i)) parts.push(h("del", {}, a[i++]));
    else if (j < b.length && come.has(j)) parts.push(h("ins", {}, b[j++]));
    else {
      parts.push(b[j++] ?? "");
      i++;
    }
  }
  return h("p.diff", { dir: "auto", "aria-label": after ? `Suggested edit: ${after}` : "Suggested: delete it" }, parts);
}
