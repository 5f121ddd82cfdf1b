// Caret mode: a place in a text that moves by character, word or sentence, so that spans are made and mended without
// the mouse. What is marked is the browser's own selection; a lone caret is drawn on the character behind it.

const UNITS = { ArrowLeft: ["character", -1], ArrowRight: ["character", 1], ArrowUp: ["sentence", -1], ArrowDown: ["sentence", 1] };

export class Caret {
  /** @param {Object} critic  texts, marks and what is said to the eyes and ears */
  constructor(critic) {
    this.critic = critic;
    this.on = false;
  }

  /** Begin at a place of a text: {name, offset}. */
  start({ name, offset }) {
    Object.assign(this, { on: true, name, at: offset, anchor: offset });
    this.draw();
    this.critic.announce("Caret on. Arrows move it, Shift marks, Enter makes a critique, Escape leaves.");
    this.tell();
  }

  stop() {
    if (!this.on) return;
    this.on = false;
    this.critic.marks.show("caret", []);
    getSelection().removeAllRanges();
  }

  get map() {
    return this.critic.texts.named(this.name);
  }

  /** Whether the key was the caret's. */
  onKey(event) {
    if (event.key === "Tab") return this.nextText(event.shiftKey ? -1 : 1);
    const edge = { Home: this.map.first, End: this.map.last }[event.key];
    if (edge !== undefined) return this.to(edge, event.shiftKey);
    if (!(event.key in UNITS)) return false;
    const [unit, direction] = UNITS[event.key];
    const byWord = unit === "character" && (event.ctrlKey || event.altKey || event.metaKey);
    return this.to(this.map.next(this.at, byWord ? "word" : unit, direction), event.shiftKey);
  }

  to(offset, extend) {
    const before = this.at;
    this.at = offset;
    if (!extend) this.anchor = offset;
    this.draw();
    const [from, until] = extend ? [Math.min(this.anchor, offset), Math.max(this.anchor, offset)] : [Math.min(before, offset), Math.max(before, offset)];
    this.critic.say(this.map.text(from, until).trim() || "space", extend ? " marked" : "");
    return this.tell();
  }

  nextText(direction) {
    const names = [...this.critic.texts.all.keys()];
    this.name = names[(names.indexOf(this.name) + direction + names.length) % names.length];
    this.at = this.anchor = this.map.first;
    this.draw();
    this.critic.say(this.critic.nameOf(this.name));
    return this.tell();
  }

  /** To whoever knows something of the place; the key was the caret's. */
  tell() {
    const detail = { ...this.critic.texts.around(this.map.root), offset: this.at };
    this.critic.element.dispatchEvent(new CustomEvent("caret", { bubbles: true, detail }));
    return true;
  }

  draw() {
    const selection = getSelection();
    const { marks } = this.critic;
    if (this.anchor !== this.at) {
      const [from, to] = [this.map.pointAt(this.anchor), this.map.pointAt(this.at)];
      selection.setBaseAndExtent(from.node, from.offset, to.node, to.offset);
      marks.show("caret", []);
    } else {
      selection.removeAllRanges();
      const next = this.map.next(this.at, "character", 1);
      marks.show("caret", this.map.rangesOf(next > this.at ? this.at : this.map.next(this.at, "character", -1), Math.max(next, this.at)), 10);
    }
    const near = this.map.rangesOf(this.at, Math.max(this.map.next(this.at, "character", 1), this.at));
    if (near.length) intoView(near[0]);
  }
}

/** Scroll the box around a range so that it is seen; nothing moves when it is. */
export function intoView(range) {
  const box = range.startContainer.parentElement?.closest(".response__body, .documents, .task__prompt");
  const rect = range.getBoundingClientRect();
  if (!box || (!rect.height && !rect.width)) return;
  const frame = box.getBoundingClientRect();
  const [top, bottom] = [Math.max(frame.top, 0), Math.min(frame.bottom, innerHeight)];
  if (rect.top >= top + 8 && rect.bottom <= bottom - 8) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
  if (box.scrollHeight > box.clientHeight) box.scrollBy({ top: rect.top - top - (bottom - top) / 3, behavior });
  else scrollBy({ top: rect.top - innerHeight / 3, behavior });
}
