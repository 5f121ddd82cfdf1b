// The next tasks, reserved and fetched before they are needed.

import { csrfToken } from "./journal.js";

const AHEAD = 2;
const AGAIN_AFTER = 5000;

export class Supply {
  /**
   * @param {HTMLElement} stage    carries the addresses
   * @param {() => Iterable<number>} busy  tasks that must not come again: in hand, or answered and unsent
   */
  constructor(stage, busy) {
    this.stage = stage;
    this.busy = busy;
    this.ready = [];
    this.fetching = null;
    this.rest = null;
    this.gone = new Set(); // decided in another tab since the fetch under way began
  }

  /** The next task's element, or the element that says why there is none, or null while offline. */
  async take() {
    if (!this.ready.length) await this.fill();
    return this.ready.shift() ?? this.rest;
  }

  /** Put a task back in front, when an undo shows an earlier one. */
  putBack(element) {
    if (element?.dataset.task) this.ready.unshift(element);
  }

  /** Forget a task that was decided in another tab. */
  remove(task) {
    this.gone.add(task);
    this.ready = this.ready.filter((element) => Number(element.dataset.task) !== task);
  }

  /** Fetch one task, and after it those that are still missing; call it when the task in hand is shown. */
  async fill() {
    if (this.ready.length >= AHEAD) return;
    this.fetching ??= this.fetchOne().then((found) => {
      this.fetching = null;
      if (found) this.fill();
    });
    await this.fetching;
  }

  /** Whether one more task is ready. */
  async fetchOne() {
    let element;
    let task;
    do {
      this.gone.clear();
      element = await this.ask();
      task = Number(element?.dataset.task ?? 0);
    } while (task && this.gone.has(task));
    this.rest = task ? null : element;
    if (!task || this.known().has(task)) return false;
    this.ready.push(element);
    return true;
  }

  known() {
    return new Set([...this.busy(), ...this.ready.map((ready) => Number(ready.dataset.task))]);
  }

  async ask() {
    try {
      const response = await fetch(this.stage.dataset.next, {
        method: "POST",
        headers: { "X-CSRFToken": csrfToken(), "Content-Type": "application/x-www-form-urlencoded" },
        body: `exclude=${[...this.known()].join(",")}`,
        signal: AbortSignal.timeout(20000),
      });
      return response.ok && !response.redirected ? element(await response.text()) : null;
    } catch {
      return null;
    }
  }

  /** One task that is or was in our hands, or a part of what there is to it. */
  async fetchTask(task, part = "") {
    const response = await fetch(this.stage.dataset.taskUrl.replace(/0\/$/, `${task}/${part}`));
    return response.ok && !response.redirected ? element(await response.text()) : null;
  }
}

export { AGAIN_AFTER };

function element(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}
