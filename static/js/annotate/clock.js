// How long a task was really looked at: the tab visible and focused, and something moved within a minute.

const IDLE_AFTER = 60000;
const SIGNS = ["keydown", "pointermove", "pointerdown", "wheel", "scroll", "touchstart"];

export class Clock {
  constructor() {
    this.restart();
    for (const sign of SIGNS) addEventListener(sign, () => this.stir(), { passive: true, capture: true });
    for (const change of ["visibilitychange", "focus", "blur"]) addEventListener(change, () => this.stir(), true);
  }

  restart() {
    this.spent = 0;
    this.since = performance.now();
    this.looking = this.seen();
  }

  seen() {
    return document.visibilityState === "visible" && document.hasFocus();
  }

  /** Count the time since the last sign of life, as far as it was not idle. */
  stir() {
    const now = performance.now();
    if (this.looking) this.spent += Math.min(now - this.since, IDLE_AFTER);
    this.since = now;
    this.looking = this.seen();
  }

  /** Whether somebody looked here within so many milliseconds. */
  awake(within) {
    return this.seen() && performance.now() - this.since < within;
  }

  /** Milliseconds since `restart`. */
  read() {
    this.stir();
    return Math.round(this.spent);
  }
}
