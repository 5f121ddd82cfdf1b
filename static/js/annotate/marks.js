// Spans drawn with the CSS Custom Highlight API: nothing in the page's structure changes, however they overlap.
// Each level of overlap has an underline of its own below the one before; poor, good, open and what is missing
// differ in the kind of line, never in colour alone.

const LEVELS = 4;
const LINES = { poor: "wavy", good: "solid", neutral: "dotted", open: "dashed" };
const COLOURS = ["red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "grey"];
const PRIORITY = { current: 9, evidence: 8, caret: 10 };

export const supported = "highlights" in CSS;

export class Marks {
  /** @param {Object} protocol  whose types have colours */
  constructor(protocol) {
    this.colours = new Map();
    protocol.critiques.types.forEach((type, n) => this.colours.set(type.name, type.color || COLOURS[n % COLOURS.length]));
    this.names = new Set();
    this.rules = new Set();
    this.sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(this.sheet);
  }

  /** The colour of a critique: of its type, else of its polarity. */
  colour(critique) {
    if (this.colours.has(critique.type)) return this.colours.get(critique.type);
    return { "-1": "red", 1: "green" }[critique.polarity] ?? "grey";
  }

  line(critique) {
    if (critique.review === "open") return "open";
    return { "-1": "poor", 1: "good", 0: "neutral" }[critique.polarity] ?? "poor";
  }

  /** Draw critiques where they stand: `mapOf` gives the map of a critique's text. Rejected ones are not drawn. */
  draw(critiques, current, mapOf) {
    if (!supported) return;
    this.clear();
    const groups = new Map();
    for (const [critique, level] of levels(critiques.filter((one) => one.start !== null && one.review !== "rejected"))) {
      const map = mapOf(critique);
      if (!map) continue;
      const ranges = this.rangesOf(map, critique);
      const name = `mark-${this.colour(critique)}-${this.line(critique)}-${level}`;
      if (!groups.has(name)) groups.set(name, []);
      groups.get(name).push(...ranges);
      if (critique.id === current) this.set("mark-current", ranges, PRIORITY.current);
    }
    for (const [name, ranges] of groups) {
      this.rule(name);
      this.set(name, ranges, Number(name.at(-1)));
    }
  }

  /** What is missing at a place is drawn on the character before it, since a place has no width. */
  rangesOf(map, { start, end }) {
    if (start !== end) return map.rangesOf(start, end);
    const before = map.next(start, "character", -1);
    return before < start ? map.rangesOf(before, start) : map.rangesOf(start, map.next(start, "character", 1));
  }

  set(name, ranges, priority = 0) {
    const highlight = new Highlight(...ranges);
    highlight.priority = priority;
    CSS.highlights.set(name, highlight);
    this.names.add(name);
  }

  /** One more set of ranges, such as the unit in hand; drawn until it is drawn anew. */
  show(name, ranges, priority = 0) {
    if (!supported) return;
    if (ranges.length) this.set(name, ranges, priority);
    else CSS.highlights.delete(name);
  }

  clear() {
    for (const name of this.names) CSS.highlights.delete(name);
    this.names.clear();
  }

  rule(name) {
    if (this.rules.has(name)) return;
    this.rules.add(name);
    const [, colour, line, level] = name.split("-");
    const soft = level === "0" ? `background-color: var(--mark-${colour}-soft);` : "";
    this.sheet.insertRule(
      `::highlight(${name}) { ${soft} text-decoration: underline ${LINES[line]} 2px var(--mark-${colour}); text-underline-offset: ${2 + 4 * Number(level)}px; text-decoration-skip-ink: none; }`,
    );
  }
}

/** Each critique with the lowest level that no span overlapping it has taken. */
export function levels(critiques) {
  const taken = [];
  return critiques.map((critique) => {
    const { response, message, start, end } = critique;
    const busy = new Set(taken.filter((one) => one.response === response && one.message === message && one.start < Math.max(end, start + 1) && start < Math.max(one.end, one.start + 1)).map((one) => one.level));
    let level = 0;
    while (busy.has(level)) level++;
    taken.push({ response, message, start, end, level });
    return [critique, Math.min(level, LEVELS - 1)];
  });
}

/** The critiques at a place of a text, the shortest first. */
export function at(critiques, { response, message }, offset) {
  return critiques
    .filter((one) => one.response === response && one.message === message && one.start !== null && one.start <= offset && offset <= one.end)
    .sort((a, b) => a.end - a.start - (b.end - b.start));
}
