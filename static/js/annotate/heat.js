// The heat map: a model's token rewards, drawn on the texts in seven colours from poor to good. It is asked for on a
// key, stays on from task to task until it is switched off, and is shown under the same conditions as suggestions.

import { h } from "./element.js";
import { slice } from "./offsets.js";
import { supported } from "./marks.js";

const EDGES = [1 / 7, 3 / 7, 5 / 7]; // of the scale: where one colour ends and the next begins
const ABOVE_UNITS = 6;
const ABOVE_ALL = 7;
const MOST_KEPT = 50;
const WHY = {
  none: "No model has judged the words of this task.",
  before: "The heat map comes after your answer.",
  held_out: "No heat map on this task.",
};

export class Heat {
  /** @param {Object} screen  the task in hand and what is known of it */
  constructor(screen) {
    this.screen = screen;
    this.panel = document.getElementById("heat");
    this.button = document.querySelector('[data-act="heat"]');
    this.on = false;
    this.known = new Map(); // by task
    this.drawn = null;
    screen.stage.addEventListener("texts", () => this.draw());
    screen.stage.addEventListener("caret", (event) => this.tellCaret(event.detail));
    screen.stage.addEventListener("mousemove", (event) => this.onMove(event));
  }

  /** Whether heat maps may be seen in this project at all. */
  get ready() {
    return Boolean(this.panel);
  }

  toggle() {
    if (!this.ready) return;
    if (!supported) return this.screen.notices.say("This browser cannot draw a heat map.");
    this.on = !this.on;
    this.button.setAttribute("aria-pressed", String(this.on));
    this.shown(true);
  }

  /** Draw it on the task in hand, if it is switched on; `asked`: somebody pressed the key, and is told why not. */
  async shown(asked = false) {
    if (!this.ready) return;
    this.drawn = null;
    this.draw();
    const { task, turn, critic } = this.screen;
    this.panel.hidden = !this.on || !task;
    if (this.panel.hidden || !critic) return asked && this.on ? this.screen.notices.say(WHY.none) : undefined;
    this.tellWhy("Asking…");
    const found = await this.of(task);
    if (!this.on || turn !== this.screen.turn || task !== this.screen.task) return;
    if (!found.responses) {
      this.tellWhy(found.why);
      if (asked) this.screen.notices.announce(found.why);
      return;
    }
    this.drawn = found;
    this.legend(found);
    this.draw();
    if (asked) this.screen.notices.announce(`Heat map of ${found.model}: a model's opinion.`);
  }

  /** What the server tells of a task; what is hidden now may be there later, so that is not kept. */
  async of(task) {
    if (this.known.has(task)) return this.known.get(task);
    const answer = await fetch(this.screen.settings.heatUrl.replace("/0/", `/${task}/`)).catch(() => null);
    if (!answer) return { why: "The heat map could not be loaded." };
    const found = answer.ok ? await answer.json() : {};
    if (!found.responses) return { why: WHY[found.why] ?? WHY.none };
    if (this.known.size >= MOST_KEPT) this.known.delete(this.known.keys().next().value);
    this.known.set(task, found);
    return found;
  }

  draw() {
    if (!supported) return;
    for (const name of [...CSS.highlights.keys()].filter((one) => one.startsWith("heat-"))) CSS.highlights.delete(name);
    this.screen.stage.toggleAttribute("data-heat", Boolean(this.drawn));
    if (!this.drawn) return;
    const groups = new Map();
    this.drawn.responses.forEach((messages, response) => {
      for (const { message, offsets, values } of messages) {
        const map = this.screen.critic.texts.of(response, message);
        if (!map) continue;
        for (const [name, start, end] of runs(offsets, values, this.drawn.scale)) {
          if (!groups.has(name)) groups.set(name, []);
          groups.get(name).push(...map.rangesOf(start, end));
        }
      }
    });
    for (const [name, ranges] of groups) this.set(name, ranges, ABOVE_UNITS);
  }

  set(name, ranges, priority) {
    const highlight = new Highlight(...ranges);
    highlight.priority = priority;
    CSS.highlights.set(name, highlight);
  }

  tellWhy(words) {
    this.panel.replaceChildren(h("p.heat__why", {}, words));
  }

  legend({ model, kind, head }) {
    const said = { token: "span reward", implicit: "implicit reward, probed" }[kind] ?? kind;
    const colours = ["poor-3", "poor-2", "poor-1", "none", "good-1", "good-2", "good-3"];
    this.value = h("output.heat__value.tabular", { "aria-live": "off" }, "Point at a word for its value.");
    this.panel.replaceChildren(
      h("p.heat__scale", {}, h("span", {}, "speaks against it"), h("span.heat__colours", { "aria-hidden": "true" }, ...colours.map((one) => h("span.heat__colour", { "data-heat": one }))), h("span", {}, "speaks for it")),
      h("p.heat__model", {}, h("strong", {}, model), ` (${[said, head].filter(Boolean).join(", ")}): a model's opinion, not a label.`),
      this.value,
    );
  }

  onMove(event) {
    if (!this.drawn || !this.screen.critic) return;
    const place = this.screen.critic.texts.under(event);
    this.tell(place && this.tokenAt(place));
  }

  /** The value at the caret is told to the eyes and, after what the caret says itself, to the ears. */
  tellCaret(place) {
    if (!this.drawn) return;
    const token = this.tokenAt(place);
    this.tell(token);
    if (token) this.screen.notices.live.append(`, ${signed(token.value)}`);
  }

  tokenAt({ response, message, map, offset }) {
    const found = this.drawn.responses[response]?.find((one) => one.message === message);
    const number = found ? found.offsets.findIndex(([start, end]) => start <= offset && offset < end) : -1;
    if (number < 0) return null;
    const [start, end] = found.offsets[number];
    return { map, start, end, value: found.values[number] };
  }

  tell(token) {
    CSS.highlights.delete("heat-here");
    if (!this.value?.isConnected) return;
    if (!token) return (this.value.textContent = "Point at a word for its value.");
    const { map, start, end, value } = token;
    this.set("heat-here", map.rangesOf(start, end), ABOVE_ALL);
    this.value.textContent = `“${slice(map.source, start, end).trim()}” ${signed(value)}`;
  }
}

/** Neighbouring tokens of one colour, joined: [name, start, end] of each; what is near zero has none. */
export function runs(offsets, values, scale) {
  const found = [];
  values.forEach((value, n) => {
    const name = colourOf(value, scale);
    const [start, end] = offsets[n];
    const last = found.at(-1);
    if (last?.[0] === name && start - last[2] <= 1) last[2] = end;
    else found.push([name, start, end]);
  });
  return found.filter(([name]) => name);
}

/** heat-poor-3 … heat-poor-1, nothing, heat-good-1 … heat-good-3. */
export function colourOf(value, scale) {
  const share = scale ? Math.abs(value) / scale : 0;
  const level = EDGES.filter((edge) => share > edge).length;
  return level ? `heat-${value < 0 ? "poor" : "good"}-${level}` : "";
}

function signed(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}
