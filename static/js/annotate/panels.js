// What opens beside a task: the reasons to skip, the guidelines, the keys, its pictures, its heat map.

import { h } from "./element.js";
import { Heat } from "./heat.js";
import { ACTS, inField } from "./keys.js";
import { Zoom } from "./zoom.js";

export class Panels {
  /** @param {Object} screen  keys, and whether there is a task */
  constructor(screen) {
    this.screen = screen;
    this.skipForm = document.getElementById("skip");
    this.skipButton = document.querySelector('[data-act="skip"][aria-controls]');
    this.guidelines = document.getElementById("guidelines");
    this.help = document.getElementById("help");
    this.zoom = new Zoom(screen.stage);
    this.heat = new Heat(screen);
    this.help.addEventListener("close", () => (this.changing = null));
    this.help.addEventListener("keydown", (event) => this.onChangeKey(event));
  }

  /** What there is to open. */
  get has() {
    return { guidelines: Boolean(this.guidelines), pictures: this.zoom.ready, heat: this.heat.ready };
  }

  get acts() {
    return { help: () => this.showHelp(), "reset-keys": () => this.resetKeys(), heat: () => this.heat.toggle() };
  }

  /** Another task is in hand. */
  shown() {
    this.closeSkip();
    this.heat.shown();
  }

  get skipping() {
    return !this.skipForm.hidden;
  }

  toggleSkip() {
    if (this.skipping) this.closeSkip();
    else if (this.screen.task) {
      this.skipForm.hidden = false;
      this.skipButton.ariaExpanded = "true";
      this.skipForm.querySelector("[data-reason]").focus();
    }
  }

  closeSkip() {
    if (this.skipForm.contains(document.activeElement)) this.skipButton.focus();
    this.skipForm.hidden = true;
    this.skipButton.ariaExpanded = "false";
    this.skipForm.reset();
  }

  /** With the skip panel open, a digit is a reason and no decision. */
  skipReason(event) {
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
    if (!digit || inField(event.target) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return null;
    return this.skipForm.querySelectorAll("[data-reason]")[digit - 1]?.dataset.reason ?? "";
  }

  toggleGuidelines() {
    const panel = this.guidelines;
    if (!panel) return;
    const button = document.querySelector('[data-act="guidelines"]');
    if (panel.contains(document.activeElement)) button.focus();
    panel.hidden = !panel.hidden;
    if (!panel.hidden) panel.focus();
    button.ariaExpanded = String(!panel.hidden);
  }

  /** Out of the panel that is open; whether there was one. */
  escape() {
    if (this.skipping) this.closeSkip();
    else if (this.guidelines?.hidden === false) this.toggleGuidelines();
    else return false;
    return true;
  }

  showHelp() {
    this.fillHelp();
    this.help.showModal();
  }

  /** The acts that are of use here, each with its key and a button that changes it. */
  fillHelp() {
    const { keys } = this.screen;
    const rows = ACTS.filter((one) => this.screen.uses(one.when)).flatMap((one) => [
      h("dt", {}, keys.of(one.act) && !keys.settings.off ? h("kbd", {}, keys.shown(one.act)) : h("span.muted", {}, "none"), one.also ? [" or ", one.also.split(" ").map((part) => [h("kbd", {}, part), " "])].flat(2) : null),
      h("dd", {}, one.label, " ", h("button.button.button--quiet.button--small", { type: "button", "aria-pressed": String(this.changing === one.act), "data-focus": `key:${one.act}`, "aria-label": `Change the key for: ${one.label}`, on: { click: () => this.change(one.act) } }, this.changing === one.act ? "Press a key…" : "Change")),
    ]);
    const list = document.getElementById("help-acts");
    const focused = document.activeElement?.dataset?.focus;
    list.replaceChildren(...rows);
    if (focused) list.querySelector(`[data-focus="${focused}"]`)?.focus();
    const off = document.getElementById("keys-off");
    off.checked = keys.settings.off;
    off.onchange = () => this.keep({ off: off.checked });
  }

  change(act) {
    this.changing = this.changing === act ? null : act;
    this.fillHelp();
  }

  onChangeKey(event) {
    if (!this.changing || ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const { keys } = this.screen;
    const act = this.changing;
    const key = event.key.length === 1 && !event.shiftKey ? event.key.toLowerCase() : event.key;
    if (event.key !== "Escape") {
      const taken = ACTS.find((one) => one.act !== act && keys.of(one.act) === key);
      if (taken || /^[0-9]$/.test(key) || key === "Enter") {
        document.getElementById("keys-said").textContent = taken ? `That key is taken: ${taken.label}` : "That key answers questions here.";
        return;
      }
      this.keep({ map: { ...keys.settings.map, [act]: key } });
    }
    this.changing = null;
    this.fillHelp();
  }

  async keep(settings) {
    const kept = await this.screen.keys.change(settings).catch(() => false);
    document.getElementById("keys-said").textContent = kept ? "Kept." : "Changed here; the server could not be reached.";
    this.fillHelp();
    this.screen.critic?.render();
  }

  resetKeys() {
    this.keep({ off: false, map: {} });
  }
}
