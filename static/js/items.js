// The page of an item: everybody's critiques drawn on the responses, each beside its words in the list.

import { at, Marks, supported } from "./annotate/marks.js";
import { TextMap } from "./annotate/offsets.js";

const page = document.querySelector("[data-item]");
const CURRENT = "mark-current";
const EVIDENCE = "mark-evidence";
const OTHERS = ["orange", "blue", "purple", "pink", "brown", "teal", "yellow"]; // neither good's nor poor's colour
const EDGE = 80; // pixels: a span nearer to the window's edge is scrolled to

/** What models and programs say has a line of its own, whatever they say. */
class Drawn extends Marks {
  line(critique) {
    if (critique.machine) return "neutral";
    return { "-1": "poor", 0: "open", 1: "good" }[critique.polarity] ?? "poor";
  }
}

class ItemPage {
  constructor() {
    this.maps = new Map();
    for (const root of document.querySelectorAll("[data-text]")) this.maps.set(root.dataset.text, new TextMap(root));
    this.critiques = [...page.querySelectorAll("[data-critique]")].map(critiqueOf);
    this.marks = new Drawn({ critiques: { types: types(this.critiques) } });
    this.hidden = new Set();
    for (const critique of this.critiques) this.colour(critique);
    this.listen();
    this.draw();
  }

  colour(critique) {
    critique.element.style.setProperty("--mark", `var(--mark-${this.marks.colour(critique)})`);
    critique.element.dataset.line = this.marks.line(critique);
    const ranges = this.rangesOf(critique.element);
    const unseen = critique.element.querySelector("[data-unseen]");
    if (unseen && critique.start !== null) unseen.hidden = critique.start === critique.end || ranges.some((range) => !range.collapsed);
  }

  draw() {
    const shown = this.critiques.filter((one) => !this.hidden.has(one.annotator));
    this.marks.draw(shown, null, (one) => this.maps.get(`${one.response}.${one.message}`));
  }

  /** The ranges of what an entry of a list is about; none when it is about the whole. */
  rangesOf(entry) {
    if (!entry || !("span" in entry.dataset)) return [];
    const { on, start, end } = entry.dataset;
    const map = this.maps.get(on);
    return map ? this.marks.rangesOf(map, { start: Number(start), end: Number(end) }) : [];
  }

  listen() {
    for (const type of ["pointerover", "focusin"]) page.addEventListener(type, ({ target }) => this.point(target));
    page.addEventListener("pointerleave", () => this.point(document.activeElement));
    page.addEventListener("click", (event) => this.click(event));
    const whose = document.querySelector("[data-whose]");
    if (!whose) return;
    whose.hidden = false;
    whose.addEventListener("change", () => this.choose(whose));
  }

  /** Bring out what an entry is about, and its evidence; nothing when the pointer is elsewhere. */
  point(target) {
    const entry = target?.closest?.("[data-span], [data-critique]");
    if (entry === this.entry) return;
    this.entry?.classList.remove("pointed");
    this.entry = entry;
    entry?.classList.add("pointed");
    this.marks.show(CURRENT, this.rangesOf(entry), 9);
    const proof = entry?.querySelector("[data-proof]")?.dataset;
    const map = proof && this.maps.get(proof.proof);
    this.marks.show(EVIDENCE, map ? map.rangesOf(Number(proof.proofStart), Number(proof.proofEnd)) : [], 8);
  }

  click(event) {
    const entry = event.target.closest("[data-span], [data-critique]");
    if (event.target.closest("a")) return;
    if (entry) scrollTo(this.rangesOf(entry)[0]);
    else if (getSelection().isCollapsed) this.find(event);
  }

  /** From a place in a text to what is said of it. */
  find(event) {
    const name = event.target.closest("[data-text]")?.dataset.text;
    const place = name && document.caretPositionFromPoint?.(event.clientX, event.clientY);
    if (!place) return;
    const [response, message] = name.split(".").map(Number);
    const offset = this.maps.get(name).offsetAt(place.offsetNode, place.offset);
    const shown = this.critiques.filter((one) => !this.hidden.has(one.annotator) && one.review !== "rejected");
    const [first] = at(shown, { response, message }, offset);
    if (!first) return;
    first.element.scrollIntoView({ block: "nearest", behavior: behaviour() });
    first.element.querySelector("[data-go]")?.focus({ preventScroll: true });
    this.point(first.element);
  }

  /** Show only some annotators. */
  choose(whose) {
    this.hidden = new Set([...whose.querySelectorAll("input:not(:checked)")].map((box) => box.value));
    for (const part of document.querySelectorAll("[data-annotator]")) part.hidden = this.hidden.has(part.dataset.annotator);
    this.draw();
  }
}

function critiqueOf(element) {
  const { critique: id, type, polarity, review, on, start, end } = element.dataset;
  const [response, message] = (on ?? "-1.-1").split(".").map(Number);
  const place = "span" in element.dataset ? { start: Number(start), end: Number(end) } : { start: null, end: null };
  const machine = "machine" in element.dataset;
  const { annotator } = element.closest("[data-annotator]").dataset;
  return { id, element, type, polarity: polarity === "" ? null : Number(polarity), review, machine, annotator, response, message, ...place };
}

/** The protocol's types, then those that only an import or an earlier protocol knew. */
function types(critiques) {
  const asked = JSON.parse(page.dataset.types);
  const known = new Set(asked.map((type) => type.name));
  const others = new Set(critiques.map((one) => one.type).filter((type) => type && !known.has(type)));
  return [...asked, ...[...others].sort().map((name, n) => ({ name, color: OTHERS[n % OTHERS.length] }))];
}

function scrollTo(range) {
  if (!range) return;
  const element = range.startContainer.nodeType === Node.ELEMENT_NODE ? range.startContainer : range.startContainer.parentElement;
  element.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  const { top, bottom } = range.getBoundingClientRect();
  if (top < EDGE || bottom > innerHeight - EDGE) scrollBy({ top: (top + bottom - innerHeight) / 2, behavior: behaviour() });
}

function behaviour() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth";
}

if (page && supported) new ItemPage();
else document.querySelector("[data-undrawable]")?.removeAttribute("hidden");
