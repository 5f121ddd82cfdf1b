// Adjudication: everybody's marks laid over each other on the texts, one key for each thing to decide, and what was
// chosen kept in this browser until it is decided, so that a reload loses nothing.

import { Marks, supported } from "./annotate/marks.js";
import { TextMap } from "./annotate/offsets.js";
import { Editor, editedOf, inWords } from "./editing.js";

const page = document.querySelector("[data-adjudicate]");
const CURRENT = "mark-current";
const EDGES = { "[": ["start", -1], "{": ["start", 1], "]": ["end", 1], "}": ["end", -1] };

class Adjudication {
  constructor() {
    this.form = page.querySelector("form");
    this.elements = [...page.querySelectorAll("[data-element]")];
    this.maps = new Map();
    for (const root of page.querySelectorAll("[data-text]")) this.maps.set(root.dataset.text, new TextMap(root));
    this.marks = new Marks({ critiques: { types: JSON.parse(page.dataset.types) } });
    this.editor = new Editor(page, (element) => this.changed(element), (element) => this.go(element));
    this.kept = `adjudicate:${page.dataset.print}`;
    this.recall();
    this.draw();
    this.listen();
    this.count();
    this.go(this.elements.find((one) => !this.decided(one)) ?? this.elements[0]);
  }

  draw() {
    if (!supported) return;
    const marks = [...page.querySelectorAll("[data-mark]")].map((option) => {
      const { on, start, end, type, polarity } = option.dataset;
      const [response, message] = on.split(".").map(Number);
      return { id: null, response, message, start: Number(start), end: Number(end), type, polarity: polarity === "" ? null : Number(polarity), review: "" };
    });
    this.marks.draw(marks, null, (one) => this.maps.get(`${one.response}.${one.message}`));
  }

  listen() {
    page.addEventListener("focusin", ({ target }) => this.point(target.closest("[data-element]")));
    page.addEventListener("pointerover", ({ target }) => this.point(target.closest("[data-element]") ?? this.current));
    this.form.addEventListener("change", ({ target }) => this.chosen(target));
    this.form.addEventListener("click", ({ target }) => {
      const button = target.closest("[data-nudge], [data-edit]");
      if (!button) return;
      this.point(button.closest("[data-element]"));
      if ("edit" in button.dataset) this.edit();
      else this.nudge(button.dataset.nudge, Number(button.dataset.by));
    });
    this.form.addEventListener("submit", () => {
      if (this.editor.element) this.editor.keep();
      localStorage.removeItem(this.kept);
    });
    page.querySelector("[data-all]").addEventListener("click", () => this.all());
    if (!("keysOff" in page.dataset)) document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("textarea, input:not([type=radio]), select, summary")) return;
    const act = {
      j: () => this.step(1),
      ArrowDown: () => this.step(1),
      k: () => this.step(-1),
      ArrowUp: () => this.step(-1),
      a: () => this.choose((input) => input.value === this.current?.dataset.proposal),
      x: () => this.choose((input) => "reject" in input.dataset),
      e: () => this.edit(),
      Enter: () => this.commit(event),
    }[event.key] ?? (event.key in EDGES ? () => this.nudge(...EDGES[event.key]) : null);
    if (!act && !/^[1-9]$/.test(event.key)) return;
    if (event.key === "Enter" && event.target.closest("a, button")) return;
    event.preventDefault();
    if (act) act();
    else this.choose((_, n) => n === Number(event.key) - 1);
  }

  step(by) {
    const place = this.elements.indexOf(this.current) + by;
    this.go(this.elements[Math.max(0, Math.min(this.elements.length - 1, place))]);
  }

  /** Choose the first option of the current element for which something holds, and go on to what is not decided. */
  choose(wanted) {
    const option = this.current && radios(this.current).find(wanted);
    if (!option) return;
    option.checked = true;
    this.chosen(option);
    const behind = this.elements.slice(this.elements.indexOf(this.current) + 1);
    this.go(behind.find((one) => !this.decided(one)) ?? this.current);
  }

  /** Another option is chosen: ends that were moved were the other one's. */
  chosen(input) {
    if (input.type === "radio") this.check(input);
    this.keep();
  }

  check(input) {
    input.checked = true;
    const element = (this.last = input.closest("[data-element]"));
    for (const own of element.querySelectorAll("[data-bounds], [data-edited]")) own.value = "";
    this.ends(element);
    this.told(element);
  }

  /** Edit what is chosen of the current element; where nothing is that could be, choose what is proposed, else the first. */
  edit() {
    const element = this.current;
    if (!element?.dataset.edits) return;
    const fitting = radios(element).filter((one) => !("reject" in one.dataset));
    const input = fitting.find((one) => one.checked) ?? fitting.find((one) => one.value === element.dataset.proposal) ?? fitting[0];
    if (!input) return;
    if (!input.checked) this.chosen(input);
    this.editor.open(element, input);
  }

  /** Something was said otherwise. */
  changed(element) {
    this.told(element);
    this.keep();
    page.querySelector("[data-said]").textContent = element.querySelector("[data-told]").textContent || "Kept as it was";
  }

  /** Say what of an element is said otherwise. */
  told(element) {
    const change = element.querySelector("[data-change]");
    if (!change) return;
    const chosen = element.querySelector("input:checked");
    change.hidden = !chosen || "reject" in chosen.dataset;
    const words = inWords(editedOf(element));
    const told = change.querySelector("[data-told]");
    told.hidden = !words;
    told.textContent = words && `Edited: ${words}`;
  }

  /** The mark that is chosen of an element as {map, start, end}, where its ends can be moved. */
  markOf(element) {
    const bounds = element?.querySelector("[data-bounds]");
    const option = bounds && element.querySelector("input:checked")?.closest("[data-mark]");
    const map = option && this.maps.get(option.dataset.on);
    if (!map) return null;
    const [start, end] = (bounds.value || `${option.dataset.start},${option.dataset.end}`).split(",").map(Number);
    return start < end ? { map, start, end, bounds } : null;
  }

  /**
   * Move an end of the mark that is chosen here, else of the one that was chosen last, by a word, as far as it keeps
   * some text of what was marked.
   */
  nudge(end, by) {
    const element = this.markOf(this.current) ? this.current : this.last;
    const mark = this.markOf(element);
    if (!mark) return;
    if (element !== this.current) this.go(element);
    const to = { start: mark.start, end: mark.end, [end]: wordEdge(mark.map, end, mark[end], by) };
    const { start, end: last } = element.dataset;
    if (to.start >= to.end || to.start >= Number(last) || to.end <= Number(start)) return;
    mark.bounds.value = `${to.start},${to.end}`;
    this.ends(element);
    this.keep();
  }

  /** Say and draw what the chosen mark of an element covers now. */
  ends(element) {
    const told = element.querySelector("[data-ends]");
    const mark = this.markOf(element);
    if (!told) return;
    told.hidden = !mark;
    if (mark) told.querySelector("[data-quote]").textContent = mark.map.text(mark.start, mark.end);
    if (element === this.current) this.bringOut(element);
  }

  /** All that is left as it is proposed. */
  all() {
    for (const element of this.elements) {
      const option = this.decided(element) ? null : radios(element).find((one) => one.value === element.dataset.proposal);
      if (option) this.check(option);
    }
    this.keep();
    this.go(this.elements.find((one) => !this.decided(one)) ?? this.elements[0]);
  }

  /** Decide, or go to what is not decided yet. */
  commit() {
    const left = this.undecided();
    if (left.length) this.go(left[0]);
    else this.form.requestSubmit(this.form.querySelector("[data-commit]"));
  }

  undecided() {
    return this.elements.filter((one) => !one.closest("details") && !this.decided(one));
  }

  decided(element) {
    return Boolean(element.querySelector("input:checked"));
  }

  go(element) {
    if (!element) return;
    const folded = element.closest("details");
    if (folded) folded.open = true;
    const input = element.querySelector("input:checked") ?? element.querySelector("input");
    input.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
    this.point(element);
  }

  /** Bring out what an element is about, in the texts. */
  point(element) {
    if (!element || element === this.current) return;
    this.current?.classList.remove("element--current");
    this.current = element;
    element.classList.add("element--current");
    const [first] = this.bringOut(element);
    if (first) (first.startContainer.parentElement ?? page).scrollIntoView({ block: "nearest" });
  }

  /** Draw what an element is about: the mark that is chosen there, else the widest of them; its ranges. */
  bringOut(element) {
    const { on, start, end } = element.dataset;
    const map = "span" in element.dataset && this.maps.get(on);
    const place = this.markOf(element) ?? { start: Number(start), end: Number(end) };
    const ranges = map ? this.marks.rangesOf(map, place) : [];
    this.marks.show(CURRENT, ranges, 9);
    return ranges;
  }

  keep() {
    const said = [...this.form.querySelectorAll("input[type=radio]:checked, [data-bounds], [data-edited]")];
    const chosen = Object.fromEntries(said.map((one) => [one.name, one.value]));
    localStorage.setItem(this.kept, JSON.stringify(chosen));
    this.count();
  }

  recall() {
    const chosen = JSON.parse(localStorage.getItem(this.kept) ?? "{}");
    for (const input of this.form.querySelectorAll("input[type=radio]")) if (chosen[input.name] === input.value) input.checked = true;
    for (const bounds of this.form.querySelectorAll("[data-bounds]")) {
      bounds.value = chosen[bounds.name] ?? bounds.value;
      this.ends(bounds.closest("[data-element]"));
    }
    for (const edited of this.form.querySelectorAll("[data-edited]")) {
      edited.value = chosen[edited.name] ?? edited.value;
      this.told(edited.closest("[data-element]"));
    }
  }

  count() {
    const left = this.undecided().length;
    page.querySelector("[data-left]").textContent = left ? `${left} still to decide` : "Everything is decided: Enter goes on";
  }
}

/** The beginning of a span at the beginning of the word before or after, or its end at such a word's end. */
function wordEdge(map, end, at, by) {
  if ((end === "start") === by < 0) return map.next(at, "word", by);
  const beyond = map.next(map.next(at, "word", by), "word", by);
  return map.next(beyond, "word", -by);
}

function radios(element) {
  return [...element.querySelectorAll("input[type=radio]")];
}

if (page) new Adjudication();
