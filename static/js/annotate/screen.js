// The annotation screen: one key decides, the journal keeps it, and the next task is there.

import { Clock } from "./clock.js";
import * as difference from "./difference.js";
import { Journal } from "./journal.js";
import { inField, meaning } from "./keys.js";
import { Notices } from "./notices.js";
import { Scrolling } from "./scrolling.js";
import { AGAIN_AFTER, Supply } from "./supply.js";

const TOO_SOON = 250; // ms after a task appears in which a decision is a slip of the key before
const LOOK_AGAIN = 30000;

class Screen {
  constructor(stage) {
    this.stage = stage;
    this.settings = stage.dataset;
    this.journal = new Journal(this.settings.scope, this.settings.api);
    this.supply = new Supply(stage, () => this.busy());
    this.notices = new Notices(this.journal, this.settings.signIn);
    this.clock = new Clock();
    this.scrolling = new Scrolling();
    this.history = [];
    this.differences = false;
    this.tabs = new BroadcastChannel(this.settings.scope);
    this.rationale = document.getElementById("rationale");
    this.skipForm = document.getElementById("skip");
    this.listen();
    this.begin();
  }

  get current() {
    return this.stage.firstElementChild;
  }

  get task() {
    return Number(this.current?.dataset.task ?? 0);
  }

  busy() {
    return new Set([...(this.task ? [this.task] : []), ...this.journal.tasks()]);
  }

  listen() {
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("click", (event) => this.onClick(event));
    this.skipForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.skip(this.skipForm.elements.reason.value.trim());
    });
    this.rationale?.addEventListener("input", () => this.saveDraft());
    this.tabs.addEventListener("message", (event) => this.onOtherTab(event.data));
    this.journal.addEventListener("sent", (event) => this.onSent(event.detail));
    addEventListener("beforeunload", (event) => {
      if (this.journal.waiting().length) event.preventDefault();
    });
    addEventListener("online", () => this.task || this.advance());
  }

  /** The page came with a task; it may be one that an unsent decision has answered already. */
  begin() {
    this.journal.send();
    if (this.journal.tasks().has(this.task)) this.advance();
    else this.shown();
    this.supply.fill();
  }

  shown() {
    this.since = performance.now();
    this.clock.restart();
    document.getElementById("decide").hidden = !this.task;
    this.closeSkip();
    const bodies = [...this.stage.querySelectorAll(".response__body")];
    this.scrolling.tie(bodies);
    difference.show(this.differences, bodies);
    if (this.rationale) this.rationale.value = localStorage.getItem(this.draftKey()) ?? "";
    if (!this.task) setTimeout(() => this.task || this.advance(), LOOK_AGAIN);
  }

  show(element) {
    this.stage.replaceChildren(element);
    this.stage.classList.remove("arrive");
    requestAnimationFrame(() => this.stage.classList.add("arrive"));
    this.shown();
  }

  /** Show the next task, or why there is none; offline, wait and try again. */
  async advance() {
    this.since = Infinity; // until the next task is shown, no key decides
    const element = await this.supply.take();
    if (element) return this.show(element);
    this.stage.replaceChildren(this.notices.waitingForTask());
    document.getElementById("decide").hidden = true;
    setTimeout(() => this.task || this.advance(), AGAIN_AFTER);
  }

  decide(choice) {
    const button = document.querySelector(`[data-choice="${choice}"]`);
    if (!this.task || !button || performance.now() - this.since < TOO_SOON) return;
    const rationale = this.rationale?.value.trim() ?? "";
    if (this.settings.rationale === "required" && !rationale) {
      this.notices.announce("Say why first.");
      this.rationale.focus();
      return;
    }
    const answer = choice === "both_bad" ? { both_bad: true } : { value: Number(choice) };
    const body = { preferences: [{ axis: this.settings.axis, ...answer }], rationale, active_ms: this.clock.read() };
    const label = button.querySelector(".choice__label").textContent;
    this.flash(button);
    this.commit("submit", body, `Saved: ${label}.`);
  }

  skip(reason) {
    if (this.task) this.commit("skip", { reason, active_ms: this.clock.read() }, "Skipped.");
  }

  /** Keep it first, then move on. */
  commit(kind, body, words) {
    const element = this.current;
    const key = this.journal.add(kind, this.task, body);
    localStorage.removeItem(this.draftKey());
    this.history.push({ key, element, task: this.task });
    this.history.splice(0, this.history.length - 20);
    this.tabs.postMessage({ decided: this.task });
    this.notices.count(kind === "submit" ? 1 : 0);
    this.notices.announce(words);
    this.rationale?.blur();
    this.advance();
  }

  async undo() {
    const last = this.history.pop() ?? (await this.lastFromServer());
    if (!last) return this.notices.announce("Nothing to take back.");
    this.journal.add("undo", last.task, null, last.key);
    if (this.task) this.supply.putBack(this.current);
    this.supply.remove(last.task);
    this.show(last.element);
    this.notices.announce("Taken back.");
  }

  /** After a reload the history is the server's: the latest decision that stands. */
  async lastFromServer() {
    if (this.journal.waiting().length) return null;
    try {
      const found = await (await fetch(this.settings.last)).json();
      if (!found.task) return null;
      const element = await this.supply.fetchTask(found.task);
      return element && { key: found.annotation, element, task: found.task };
    } catch {
      return null;
    }
  }

  onOtherTab({ decided }) {
    this.supply.remove(decided);
    if (decided === this.task) this.advance();
  }

  onSent({ progress }) {
    this.notices.progress(progress);
    // What was said about the rest was said before this answer arrived.
    if (!this.task && !this.journal.waiting().length) this.advance();
  }

  onKey(event) {
    if (event.key === "Escape" && event.target === this.rationale) return this.rationale.blur();
    if (event.key === "Escape" && !this.skipForm.hidden) return this.closeSkip();
    if (event.key === "Enter" && event.target === this.rationale && !event.shiftKey) {
      event.preventDefault();
      return this.rationale.blur();
    }
    if (!this.skipForm.hidden && this.skipByDigit(event)) return;
    const found = meaning(event, Number(this.settings.strengths));
    if (!found) return;
    if (found.choice && event.target.closest(".response__body, .task__prompt") && event.key.startsWith("Arrow")) {
      event.preventDefault();
    }
    if (found.choice) this.decide(found.choice);
    else this.act(found.act, event);
  }

  /** With the skip panel open, a digit is a reason and no decision. */
  skipByDigit(event) {
    if (inField(event.target) || event.repeat) return false;
    const button = this.skipForm.querySelectorAll("[data-reason]")[Number(event.code.replace(/\D/g, "")) - 1];
    if (button) this.skip(button.dataset.reason);
    return /\d/.test(event.code);
  }

  onClick(event) {
    const button = event.target.closest("[data-choice], [data-act], [data-reason]");
    if (!button) return;
    if (button.dataset.choice) this.decide(button.dataset.choice);
    else if (button.dataset.reason) this.skip(button.dataset.reason);
    else this.act(button.dataset.act, event);
  }

  act(name, event) {
    event.preventDefault();
    const acts = {
      undo: () => this.undo(),
      skip: () => (this.skipForm.hidden ? this.openSkip() : this.closeSkip()),
      help: () => document.getElementById("help").showModal(),
      why: () => this.rationale?.focus(),
      difference: () => this.toggleDifferences(),
      together: () => this.toggleTogether(),
      guidelines: () => this.toggleGuidelines(),
      prompt: () => this.current?.querySelector(".task__prompt")?.classList.toggle("task__prompt--open"),
    };
    acts[name]();
  }

  openSkip() {
    if (!this.task) return;
    this.skipForm.hidden = false;
    this.skipForm.querySelector("[data-reason]").focus();
  }

  closeSkip() {
    this.skipForm.hidden = true;
    this.skipForm.reset();
  }

  toggleDifferences() {
    const bodies = [...this.stage.querySelectorAll(".response__body")];
    this.differences = difference.show(!this.differences, bodies);
    document.querySelector('[data-act="difference"]').setAttribute("aria-pressed", String(this.differences));
    if (!difference.supported) this.notices.announce("This browser cannot draw differences.");
  }

  toggleTogether() {
    this.scrolling.together = !this.scrolling.together;
    this.notices.announce(this.scrolling.together ? "Responses scroll together." : "Responses scroll on their own.");
  }

  toggleGuidelines() {
    const panel = document.getElementById("guidelines");
    if (!panel) return;
    panel.hidden = !panel.hidden;
    document.querySelector('[data-act="guidelines"]').setAttribute("aria-expanded", String(!panel.hidden));
  }

  draftKey() {
    return `${this.settings.scope}:draft:${this.task}`;
  }

  saveDraft() {
    if (this.rationale.value) localStorage.setItem(this.draftKey(), this.rationale.value);
    else localStorage.removeItem(this.draftKey());
  }

  flash(button) {
    button.classList.add("choice--chosen");
    setTimeout(() => button.classList.remove("choice--chosen"), 350);
  }
}

new Screen(document.getElementById("stage"));
