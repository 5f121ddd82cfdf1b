// The annotation screen: one key decides, the journal keeps it, and the next task is there.

import { Clock } from "./clock.js";
import { Critic } from "./critic.js";
import { Comparing } from "./comparing.js";
import { against } from "./hints.js";
import { csrfToken, Journal } from "./journal.js";
import { ACTS, choiceOf, inField, Keys } from "./keys.js";
import { learn } from "./lesson.js";
import { Notices } from "./notices.js";
import { Panels } from "./panels.js";
import { markChoices } from "./suggested.js";
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
    this.comparing = new Comparing(this);
    this.protocol = JSON.parse(this.settings.protocol);
    this.axes = this.protocol.kind === "preference" ? this.protocol.axes : [];
    this.keys = new Keys(JSON.parse(this.settings.keys), this.settings.keysUrl);
    this.critic = null; // what is said of the task besides preferences, where that is asked
    this.preferences = []; // what is said of the task so far, an axis after the other
    this.history = [];
    this.answered = 0; // the task in hand, when it is answered and shown once more with what the models say
    this.turn = 0;
    this.changes = 0;
    this.tabs = new BroadcastChannel(this.settings.scope);
    this.rationale = document.getElementById("rationale");
    this.panels = new Panels(this);
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
    this.panels.skipForm.addEventListener("submit", (event) => {
      event.preventDefault();
      this.skip(this.panels.skipForm.elements.reason.value.trim());
    });
    this.stage.addEventListener("critic", () => this.showSuggested());
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
    this.criticise();
    this.ask();
    document.getElementById("decide").hidden = !this.task;
    this.panels.shown();
    this.comparing.shown();
    if (this.rationale) this.rationale.value = localStorage.getItem(this.draftKey()) ?? "";
    const { rest, done, total } = this.current.dataset;
    if (rest !== undefined) this.notices.progress({ done: Number(done), total: Number(total) });
    clearTimeout(this.again);
    if (this.current.dataset.answer && !this.critic?.work.touched) this.takeUp(JSON.parse(this.current.dataset.answer));
    if (this.task) this.supply.fill();
    else this.again = setTimeout(() => this.advance(), "offline" in this.current.dataset ? AGAIN_AFTER : LOOK_AGAIN);
  }

  /** Make what the task in hand needs to be criticised, and let go of the last one's. */
  criticise() {
    this.critic?.detach();
    this.critic = null;
    if (!this.task || this.current.dataset.work === undefined) return;
    const { task } = this;
    const draft = { key: `${this.settings.scope}:work:${task}`, address: this.settings.draftUrl.replace("/0/", `/${task}/`) };
    this.critic = new Critic(this.current, { protocol: this.protocol, keys: this.keys, notices: this.notices, draft });
    this.critic.attach();
  }

  showSuggested() {
    document.getElementById("decide").toggleAttribute("data-waiting", Boolean(this.critic?.asks.current));
    markChoices(this.critic?.work, this.axes[this.preferences.length]?.name);
  }

  /** Put an element on the stage, from its top, with the focus in the part where it was. */
  show(element) {
    const part = document.activeElement?.closest("#stage [aria-label]")?.getAttribute("aria-label");
    if (document.activeElement?.closest(".decide")) document.activeElement.blur(); // Enter is meant for the task
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
    if (preferences.length === this.axes.length && this.incomplete()) return;
    const label = button.querySelector(".choice__label").textContent;
    this.flash(button);
    if (preferences.length === this.axes.length) {
      const doubt = against(this.critic?.work, preferences);
      this.commit("submit", { preferences, rationale, ...this.critic?.body(), active_ms: this.clock.read() }, `Saved: ${label}.`);
      if (doubt) this.notices.say(`${doubt} ${this.keys.shown("undo") || "Undo"} takes it back.`);
      return;
    }
    this.preferences = preferences;
    this.ask(`${label}.`);
    this.showSuggested();
  }

  /** Commit what was said of a response, or a ranking; of a pair the preferences that stand, when a model's view came after. */
  submit() {
    if (!this.task || !this.critic || performance.now() - this.since < TOO_SOON) return;
    if (this.axes.length) {
      const { preferences } = this.critic.work;
      if (!preferences?.length) return this.notices.say("Choose the better response.");
      if (!this.incomplete()) this.commit("submit", { preferences, rationale: this.rationale?.value.trim() ?? "", ...this.critic.body(), active_ms: this.clock.read() }, "Kept.");
      return;
    }
    const rationale = this.rationale?.value.trim() ?? "";
    if (this.incomplete()) return;
    if (this.settings.rationale === "required" && !rationale) {
      this.notices.say("Say why first.");
      return this.rationale.focus();
    }
    this.commit("submit", { rationale, ...this.critic.body(), active_ms: this.clock.read() }, "Saved.");
  }

  /** Whether something is still to be said; then it is in hand, and named. */
  incomplete() {
    const words = this.critic?.missing();
    if (words) this.notices.say(words);
    return Boolean(words);
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
    if (this.task && this.answered === this.task) return this.notices.say("You have answered this one; submit keeps it.");
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
    const help = this.critic?.work.given.help;
    const step = kind === "submit" && this.answered !== task ? 1 : 0;
    const key = this.keep(kind, task, body);
    if (!key) return;
    this.preferences = [];
    this.notices.clearBanner("full");
    this.notices.hush();
    if (kind === "submit") {
      localStorage.removeItem(this.draftKey());
      this.critic?.work.drafts.drop();
    }
    this.history = this.history.filter((one) => one.task !== task).slice(-19);
    this.history.push({ key, element, task, step: kind === "submit" ? 1 : 0, rationale: body.rationale, body });
    this.tabs.postMessage({ decided: task, step });
    this.notices.count(step);
    this.notices.announce(words);
    this.rationale?.blur();
    if (kind === "submit" && "lesson" in element.dataset) learn(this, task);
    else if (kind === "submit" && help === "before") this.reveal(task, body);
    else if (element.dataset.after) this.journal.settled(task).then(() => location.assign(element.dataset.after));
    else this.advance();
  }

  /** Show what the models say, now that the answer is committed; it may be changed, which is another answer. */
  async reveal(task, body) {
    const turn = ++this.turn;
    this.leaving = true;
    this.stage.ariaBusy = "true";
    await this.journal.settled(task);
    const element = await this.supply.fetchTask(task).catch(() => null);
    if (turn !== this.turn) return;
    if (!element?.dataset.work || JSON.parse(element.dataset.work).help !== "revealed") return this.advance();
    this.answered = task;
    this.show(element);
    this.takeUp(body);
    this.notices.say("Now see what the models say. Enter keeps your answer.");
  }

  /** Go on from an answer that was given before. */
  takeUp(body) {
    if (!body || !this.critic) return;
    this.critic.work.restore(body);
    this.critic.asks.takeUp();
    if (this.rationale && body.rationale) this.rationale.value = body.rationale;
    this.showSuggested();
  }

  async undo() {
    const undone = this.critic?.work.undo();
    if (undone) return this.notices.say(`Taken back: ${undone.toLowerCase()}.`);
    if (this.preferences.pop()) return this.ask("Taken back.");
    if (this.undoing) return;
    this.undoing = true;
    const last = this.history.pop() ?? (await this.lastElsewhere());
    this.undoing = false;
    if (!last) return this.notices.say("There is nothing to take back.");
    if (!this.keep("undo", last.task, null, last.key)) return this.history.push(last);
    this.answered = 0;
    if (last.rationale) this.saveDraft(last.task, last.rationale);
    if (this.task) this.supply.putBack(this.current);
    this.supply.remove(last.task);
    this.show(last.element);
    this.takeUp(last.body);
    const step = -(last.step ?? 0);
    this.tabs.postMessage({ step });
    this.notices.count(step);
    this.notices.announce("Taken back.");
  }

  /** After a reload: the newest decision that is not sent yet, else the latest that stands at the server. */
  async lastElsewhere() {
    try {
      const unsent = this.journal.newest();
      const here = unsent && { annotation: unsent.key, task: unsent.task, rationale: unsent.body.rationale, body: unsent.body };
      if (!here) await this.journal.undone(); // else the server still tells what an undo on its way takes back
      const found = here ?? (await (await fetch(this.settings.last)).json());
      if (!found.task || this.journal.undoes(found.annotation)) return null;
      const element = await this.supply.fetchTask(found.task);
      return element && { key: found.annotation, element, task: found.task, rationale: found.rationale, body: found.body };
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
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) return event.preventDefault(), this.submit();
    if (event.key === "Enter" && event.target.matches("textarea") && !event.shiftKey) {
      event.preventDefault();
      return event.target.blur();
    }
    if (this.panels.skipping && this.onSkipKey(event)) return;
    if (!this.panels.skipping && this.critic?.onKey(event)) return event.preventDefault();
    if (event.key === "Enter" && this.critic && !inField(event.target) && !event.target.closest("button, a, summary")) return event.preventDefault(), this.submit();
    const act = this.keys.act(event);
    if (act && this.uses(ACTS.find((one) => one.act === act)?.when)) return event.preventDefault(), this.act(act, event);
    const choice = this.axes.length && !this.keys.settings.off ? choiceOf(event, Number(this.settings.strengths)) : null;
    if (choice === null) return;
    event.preventDefault();
    if (!this.panels.skipping) this.decide(choice);
  }

  onSkipKey(event) {
    const reason = this.panels.skipReason(event);
    if (reason) this.skip(reason);
    return reason !== null;
  }

  /** Whether acts of a sort are of use on this screen. */
  uses(when) {
    const { kind, critiques, unit } = this.protocol;
    const work = kind !== "preference" || critiques.on || this.protocol.questions.length > 0 || this.protocol.help.mode !== "off";
    const known = {
      work,
      pair: kind === "preference",
      rationale: this.settings.rationale !== "off",
      ...this.panels.has,
      critiques: critiques.on,
      omission: critiques.omission,
      units: work && (unit === "sentence" || unit === "step"),
    };
    return when === undefined || known[when];
  }

  /** Out of the field, the panel, or what is in hand. */
  onEscape(event) {
    if (inField(event.target)) event.target.blur();
    else if (!this.panels.escape()) this.critic?.onEscape();
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
      submit: () => this.submit(),
      skip: () => this.panels.toggleSkip(),
      ...this.panels.acts,
      why: () => this.rationale?.focus(),
      difference: () => this.comparing.toggleDifferences(),
      together: () => this.comparing.toggleTogether(),
      guidelines: () => this.panels.toggleGuidelines(),
      zoom: () => this.panels.zoom.open(event.target),
      prompt: () => this.current?.querySelector(".task__prompt")?.classList.toggle("task__prompt--open"),
    };
    if (acts[name]) acts[name]();
    else this.critic?.act(name);
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
