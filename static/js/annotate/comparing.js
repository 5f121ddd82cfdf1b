// Two responses side by side: the words in which they differ, and whether they scroll together.

import * as difference from "./difference.js";
import { Scrolling } from "./scrolling.js";

export class Comparing {
  /** @param {Object} screen  stage, task and notices */
  constructor(screen) {
    this.screen = screen;
    this.scrolling = new Scrolling();
    this.differences = false;
  }

  get bodies() {
    return [...this.screen.stage.querySelectorAll(".response__body")];
  }

  shown() {
    this.scrolling.tie(this.bodies);
    difference.show(this.differences, this.bodies);
  }

  toggleDifferences() {
    const { notices, task } = this.screen;
    const wanted = !this.differences;
    this.differences = difference.show(wanted, this.bodies);
    document.querySelector('[data-act="difference"]')?.setAttribute("aria-pressed", String(this.differences));
    if (!difference.supported) notices.say("This browser cannot draw differences.");
    else if (wanted && !this.differences && task) notices.say("These responses are too long to compare.");
  }

  toggleTogether() {
    this.scrolling.together = !this.scrolling.together;
    this.screen.notices.say(this.scrolling.together ? "Responses scroll together." : "Responses scroll on their own.");
  }
}
