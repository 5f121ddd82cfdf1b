// Responses in order, best first: their numbers pressed one after the other, = before one that is a tie.

import { h } from "./element.js";

export class Ranking {
  /**
   * @param {HTMLElement} element  the task
   * @param {import("./work.js").Work} work
   */
  constructor(element, work) {
    this.element = element;
    this.work = work;
    this.tie = false;
  }

  get ranks() {
    return this.work.state.ranks;
  }

  get complete() {
    return this.ranks.every((rank) => rank > 0);
  }

  /** Give a response the place after all others, or that of the last when it is a tie; once more takes it away. */
  press(response) {
    if (response >= this.ranks.length) return false;
    if (this.ranks[response]) this.set(response, 0);
    else {
      const ranks = race(this.ranks);
      const last = Math.max(...ranks);
      ranks[response] = this.tie && last ? last : ranks.filter((rank) => rank > 0).length + 1;
      this.work.change(`Place ${ranks[response]}`, (state) => (state.ranks = ranks));
    }
    this.tie = false;
    return true;
  }

  set(response, rank) {
    this.work.change(rank ? `Place ${rank}` : "No place", (state) => (state.ranks[response] = rank));
  }

  normalised() {
    return race(this.ranks);
  }

  render() {
    this.element.querySelectorAll(".response").forEach((response, number) => {
      const mine = this.ranks[number];
      const places = this.ranks.map((_, n) => h("button.chip", {
        type: "button", role: "radio", "aria-checked": String(mine === n + 1), "aria-label": `Place ${n + 1}`, "data-focus": `rank:${number}:${n + 1}`,
        on: { click: () => this.set(number, mine === n + 1 ? 0 : n + 1) },
      }, String(n + 1)));
      const box = h("div.chips.rank", { role: "radiogroup", "aria-label": `Place of response ${number + 1}` }, h("span.muted", { "aria-hidden": "true" }, "Place"), places);
      const focused = document.activeElement?.dataset?.focus;
      response.querySelector(".rank")?.remove();
      response.querySelector(".response__head").append(box);
      if (focused?.startsWith(`rank:${number}:`)) box.querySelector(`[data-focus="${focused}"]`)?.focus();
    });
  }
}

/** Places as in a race: the best is 1, after two at one place one is left out; 0 is none yet. */
function race(ranks) {
  return ranks.map((rank) => rank && 1 + ranks.filter((other) => other && other < rank).length);
}
