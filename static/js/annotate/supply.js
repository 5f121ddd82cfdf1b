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
  }

  /** The next task's element, or the element that says why there is none, or null while offline. */
  async take() {
    if (!this.ready.length) await this.fill();
    const next = this.ready.shift();
    if (next) {
      this.fill();
      return next;
    }
    return this.rest;
  }

  /** Put a task back in front, when an undo shows an earlier one. */
  putBack(element) {
    this.ready.unshift(element);
  }

  /** Forget a task that was decided in another tab. */
  remove(task) {
    this.ready = this.ready.filter((element) => Number(element.dataset.task) !== task);
  }

  fill() {
    this.fetching ??= this.fetchAhead().finally(() => (this.fetching = null));
    return this.fetching;
  }

  async fetchAhead() {
    while (this.ready.length < AHEAD) {
      const element = await this.fetchOne();
      if (!element) return;
      if (!("task" in element.dataset)) {
        this.rest = element;
        return;
      }
      this.rest = null;
      const known = new Set([...this.busy(), ...this.ready.map((ready) => Number(ready.dataset.task))]);
      if (known.has(Number(element.dataset.task))) return;
      this.ready.push(element);
    }
  }

  async fetchOne() {
    const exclude = [...this.busy(), ...this.ready.map((ready) => ready.dataset.task)];
    try {
      const response = await fetch(this.stage.dataset.next, {
        method: "POST",
        headers: { "X-CSRFToken": csrfToken(), "Content-Type": "application/x-www-form-urlencoded" },
        body: `exclude=${exclude.join(",")}`,
      });
      return response.ok && !response.redirected ? element(await response.text()) : null;
    } catch {
      return null;
    }
  }

  /** One task that is or was in our hands. */
  async fetchTask(task) {
    const response = await fetch(this.stage.dataset.taskUrl.replace(/0\/$/, `${task}/`));
    return response.ok && !response.redirected ? element(await response.text()) : null;
  }
}

export { AGAIN_AFTER };

function element(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}
