// Two responses scroll together, each by its own proportion.

export class Scrolling {
  constructor() {
    this.together = true;
  }

  /** Tie the two bodies of the task that is shown now. */
  tie(bodies) {
    if (bodies.length !== 2) return;
    let leader = null;
    let release;
    for (const [here, there] of [bodies, [...bodies].reverse()]) {
      here.addEventListener(
        "scroll",
        () => {
          if (!this.together || (leader && leader !== here)) return;
          leader = here;
          clearTimeout(release);
          release = setTimeout(() => (leader = null), 120);
          const range = here.scrollHeight - here.clientHeight;
          const share = range > 0 ? here.scrollTop / range : 0;
          there.scrollTop = share * (there.scrollHeight - there.clientHeight);
        },
        { passive: true },
      );
    }
  }
}
