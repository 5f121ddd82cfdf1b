// What is selected with the mouse or a finger: a small bar offers to critique it. Selecting alone never annotates, so
// that text can be copied and searched.

import { h } from "./element.js";

export class Selecting {
  /** @param {Object} critic  texts, protocol, and what becomes of a selection */
  constructor(critic) {
    this.critic = critic;
    this.bar = h("div.selectbar", { role: "toolbar", "aria-label": "Critique the selection", hidden: true, on: { pointerdown: (event) => event.preventDefault() } });
    this.changed = () => {
      clearTimeout(this.later);
      this.later = setTimeout(() => this.show(), 120);
    };
  }

  attach(element) {
    element.append(this.bar);
    document.addEventListener("selectionchange", this.changed);
  }

  detach() {
    clearTimeout(this.later);
    document.removeEventListener("selectionchange", this.changed);
    this.bar.remove();
  }

  show() {
    const found = this.critic.texts.selected();
    this.bar.hidden = !found || !this.fill(found);
    if (this.bar.hidden) return;
    const rect = getSelection().getRangeAt(0).getBoundingClientRect();
    const { width, height } = this.bar.getBoundingClientRect();
    const above = rect.top - height - 8;
    this.bar.style.top = `${above > 60 ? above : Math.min(innerHeight - height - 8, rect.bottom + 8)}px`;
    this.bar.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, rect.left + rect.width / 2 - width / 2))}px`;
  }

  fill(found) {
    const { critic } = this;
    const button = (label, act, color = null, key = "") => h("button.chip", { type: "button", "data-color": color, on: { click: act } }, label, key ? h("kbd", { "aria-hidden": "true" }, key) : null);
    if (critic.picking) {
      this.bar.replaceChildren(button("This proves it", () => critic.takeSelection(), "teal", "Enter"));
      return true;
    }
    if (found.document !== undefined || !critic.spans) return false;
    const { types, polarities } = critic.protocol.critiques;
    const buttons = types.length && types.length <= 14
      ? types.map((type, n) => button(type.label || type.name, () => critic.takeSelection({ type: type.name }), critic.marks.colours.get(type.name), type.key || (n < 9 ? String(n + 1) : "")))
      : polarities.filter((name) => name !== "neutral").map((name) => button(name === "good" ? "Good" : "Poor", () => critic.takeSelection({ polarity: name === "good" ? 1 : -1 }), name === "good" ? "green" : "red", name === "good" ? "+" : "−"));
    this.bar.replaceChildren(...(buttons.length ? buttons : [button("Critique", () => critic.takeSelection(), null, "Enter")]));
    return true;
  }
}
