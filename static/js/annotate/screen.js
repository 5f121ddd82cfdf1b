// The annotation screen: one key decides, the journal keeps it, and the next task is there.

import { Clock } from "./clock.js";
import * as difference from "./difference.js";
import { csrfToken, Journal } from "./journal.js";
import { inField, meaning } from "./keys.js";
import { Notices } from "./notices.js";
import { Scrolling } from "./scrolling.js";
import { AGAIN_AFTER, Supply } from "./supply.js";

const TOO_SOON = 250; // ms after a task appears in which a decision is a slip of the key before
const LOOK_AGAIN = 30000;
const STAY_ALIVE = 300000; // ms between signs that somebody still reads, so that the lease does not run out

class Screen {
  constructor(stage) {
    this.stage = stage;
    this.settings = stage.dataset;
    this.journal = new Journal(this.settings.scope, this.settings.api, this.settings.last);
    this.supply = new Supply(stage, () => this.busy());
    this.notices = new Notices(this.journal, this.settings.signIn);
    this.clock = new Clock();
    this.scrolling = new Scrolling();
    this.axes = JSON.parse(this.settings.axes);
    this.preferences = []; // what is said of the task so far, an axis after the other
    this.history = [];
    this.turn = 0;
    this.changes = 0;
    this.differences = false;
    this.tabs = new BroadcastChannel(this.settings.scope);
    this.rationale = document.getElementById("rationale");
    this.skipForm = document.getElementById("skip");
    this.skipButton = document.querySelector('[data-act="skip"][aria-controls]');
    this.guidelines = document.getElementById("guidelines");
    this.listen();
    this.begin();
  }

  get current() {
    return this.stage.firstElementChild;
  }

  /** The task in hand; 0 when there is none, or when it is decided and the next is on its way. */
  get task() {
    return this.leaving ? 0 : Number(this.current?.dataset.task ?? 0);
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
    this.journal.addEventListener("sent", (event) => this.notices.progress(event.detail.progress));
    this.journal.addEventListener("change", () => this.onChange());
    addEventListener("beforeunload", (event) => {
      if (this.journal.waiting().length) event.preventDefault();
    });
    addEventListener("online", () => this.task || this.advance());
    setInterval(() => this.stayAlive(), STAY_ALIVE);
  }

  /** The page came with a task; it may be one that an unsent decision has answered already. */
  begin() {
    this.journal.send();
    if (this.journal.decided(this.task)) this.advance();
    else this.shown();
  }

  shown() {
    this.turn++;
    this.leaving = false;
    this.stage.ariaBusy = "false";
    this.since = performance.now();
    this.clock.restart();
    this.preferences = [];
    this.ask();
    document.getElementById("decide").hidden = !this.task;
    this.closeSkip();
    const bodies = [...this.stage.querySelectorAll(".response__body")];
    this.scrolling.tie(bodies);
    difference.show(this.differences, bodies);
    if (this.rationale) this.rationale.value = localStorage.getItem(this.draftKey()) ?? "";
    const { rest, done, total } = this.current.dataset;
    if (rest !== undefined) this.notices.progress({ done: Number(done), total: Number(total) });
    clearTimeout(this.again);
    if (this.task) this.supply.fill();
    else this.again = setTimeout(() => this.advance(), "offline" in this.current.dataset ? AGAIN_AFTER : LOOK_AGAIN);
  }

  /** Put an element on the stage, from its top, with the focus in the part where it was. */
  show(element) {
    const part = document.activeElement?.closest("#stage [aria-label]")?.getAttribute("aria-label");
    this.stage.replaceChildren(element);
    if (part) this.stage.querySelector(`[aria-label="${part}"]`)?.focus({ preventScroll: true });
    scrollTo(0, 0);
    this.stage.classList.remove("arrive");
    requestAnimationFrame(() => this.stage.classList.add("arrive"));
    this.shown();
  }

  /** Show the next task, or why there is none; offline, wait and try again. */
  async advance() {
    const turn = ++this.turn;
    this.leaving = true;
    this.stage.ariaBusy = "true";
    let element;
    let changes;
    do {
      changes = this.changes;
      element = await this.supply.take();
    } while (!element?.dataset.task && changes !== this.changes); // an answer went out meanwhile: ask anew
    if (turn === this.turn) this.show(element ?? this.notices.waitingForTask());
    else this.supply.putBack(element); // an undo, or another way here, was faster
  }

  decide(choice) {
    const button = document.querySelector(`[data-choice="${choice}"]`);
    if (!this.task || !button || performance.now() - this.since < TOO_SOON) return;
    const rationale = this.rationale?.value.trim() ?? "";
    if (this.settings.rationale === "required" && !rationale) {
      this.notices.say("Say why first.");
      this.rationale.focus();
      return;
    }
    const answer = choice === "both_bad" ? { both_bad: true } : { value: Number(choice) };
    const preferences = [...this.preferences, { axis: this.axes[this.preferences.length].name, ...answer }];
    const label = button.querySelector(".choice__label").textContent;
    this.flash(button);
    if (preferences.length === this.axes.length) {
      return this.commit("submit", { preferences, rationale, active_ms: this.clock.read() }, `Saved: ${label}.`);
    }
    this.preferences = preferences;
    this.ask(`${label}.`);
  }

  /** Ask for the next axis; with several, say which of how many. */
  ask(words = "") {
    const number = this.preferences.length;
    const heading = this.current.querySelector(".task__question");
    if (!heading || this.axes.length < 2) return;
    heading.textContent = `${number + 1} of ${this.axes.length}: ${this.axes[number].question}`;
    document.querySelector("#decide [role=group]").ariaLabel = this.axes[number].question;
    this.since = performance.now();
    if (words) this.notices.announce(`${words} ${heading.textContent}`);
  }

  skip(reason) {
    if (this.task) this.commit("skip", { reason, active_ms: this.clock.read() }, "Skipped.");
  }

  /** The key under which it is kept on this device, or null when the device cannot. */
  keep(...decision) {
    try {
      return this.journal.add(...decision);
    } catch {
      this.notices.storageFull();
      return null;
    }
  }

  /** Keep it first, then move on. */
  commit(kind, body, words) {
    const { task, current: element } = this;
    const step = kind === "submit" ? 1 : 0;
    const key = this.keep(kind, task, body);
    if (!key) return;
    this.preferences = [];
    this.notices.clearBanner("full");
    localStorage.removeItem(this.draftKey());
    this.history.push({ key, element, task, step, rationale: body.rationale });
    this.history.splice(0, this.history.length - 20);
    this.tabs.postMessage({ decided: task, step });
    this.notices.count(step);
    this.notices.announce(words);
    this.rationale?.blur();
    this.advance();
  }

  async undo() {
    if (this.preferences.pop()) return this.ask("Taken back.");
    if (this.undoing) return;
    this.undoing = true;
    const last = this.history.pop() ?? (await this.lastElsewhere());
    this.undoing = false;
    if (!last) return this.notices.say("There is nothing to take back.");
    if (!this.keep("undo", last.task, null, last.key)) return this.history.push(last);
    if (last.rationale) this.saveDraft(last.task, last.rationale);
    if (this.task) this.supply.putBack(this.current);
    this.supply.remove(last.task);
    this.show(last.element);
    const step = -(last.step ?? 0);
    this.tabs.postMessage({ step });
    this.notices.count(step);
    this.notices.announce("Taken back.");
  }

  /** After a reload: the newest decision that is not sent yet, else the latest that stands at the server. */
  async lastElsewhere() {
    try {
      const unsent = this.journal.newest();
      const here = unsent && { annotation: unsent.key, task: unsent.task, rationale: unsent.body.rationale };
      const found = here ?? (await (await fetch(this.settings.last)).json());
      if (!found.task || this.journal.undoes(found.annotation)) return null;
      const element = await this.supply.fetchTask(found.task);
      return element && { key: found.annotation, element, task: found.task, rationale: found.rationale };
    } catch {
      return null;
    }
  }

  stayAlive() {
    if (!this.task || !this.clock.awake(STAY_ALIVE)) return;
    fetch(this.settings.alive, { method: "POST", headers: { "X-CSRFToken": csrfToken() } }).catch(() => {});
  }

  onOtherTab({ decided, step }) {
    this.notices.count(step);
    this.supply.remove(decided);
    if (decided === this.task) this.advance();
  }

  /** What was said about the rest was said before the last answer arrived, or was refused. */
  onChange() {
    this.changes++;
    if (!this.task && !this.leaving && !this.journal.waiting().length) this.advance();
  }

  onKey(event) {
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Enter" && event.repeat && event.target.closest("button")) return event.preventDefault();
    if (event.key === "Escape") return this.onEscape(event);
    if (event.key === "Enter" && event.target === this.rationale && !event.shiftKey) {
      event.preventDefault();
      return this.rationale.blur();
    }
    if (!this.skipForm.hidden && this.skipByDigit(event)) return;
    const found = meaning(event, Number(this.settings.strengths));
    if (!found) return;
    event.preventDefault();
    if (found.act) this.act(found.act, event);
    else if (this.skipForm.hidden) this.decide(found.choice);
  }

  /** Out of the field, the panel or the guidelines. */
  onEscape(event) {
    if (event.target === this.rationale) this.rationale.blur();
    else if (!this.skipForm.hidden) this.closeSkip();
    else if (this.guidelines?.hidden === false) this.toggleGuidelines();
  }

  /** With the skip panel open, a digit is a reason and no decision. */
  skipByDigit(event) {
    const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1];
    if (!digit || inField(event.target) || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return false;
    const button = this.skipForm.querySelectorAll("[data-reason]")[digit - 1];
    if (button) this.skip(button.dataset.reason);
    return true;
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
    this.skipButton.ariaExpanded = "true";
    this.skipForm.querySelector("[data-reason]").focus();
  }

  closeSkip() {
    if (this.skipForm.contains(document.activeElement)) this.skipButton.focus();
    this.skipForm.hidden = true;
    this.skipButton.ariaExpanded = "false";
    this.skipForm.reset();
  }

  toggleDifferences() {
    const wanted = !this.differences;
    this.differences = difference.show(wanted, [...this.stage.querySelectorAll(".response__body")]);
    document.querySelector('[data-act="difference"]').setAttribute("aria-pressed", String(this.differences));
    if (!difference.supported) this.notices.say("This browser cannot draw differences.");
    else if (wanted && !this.differences && this.task) this.notices.say("These responses are too long to compare.");
  }

  toggleTogether() {
    this.scrolling.together = !this.scrolling.together;
    this.notices.say(this.scrolling.together ? "Responses scroll together." : "Responses scroll on their own.");
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

  draftKey(task = this.task) {
    return `${this.settings.scope}:draft:${task}`;
  }

  saveDraft(task = this.task, words = this.rationale.value) {
    try {
      if (words) localStorage.setItem(this.draftKey(task), words);
      else localStorage.removeItem(this.draftKey(task));
    } catch {
      // The storage is full; the words stay in the field.
    }
  }

  flash(button) {
    button.classList.add("choice--chosen");
    setTimeout(() => button.classList.remove("choice--chosen"), 350);
  }
}

new Screen(document.getElementById("stage"));
