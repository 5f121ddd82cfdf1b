// Adjudication: what was chosen, said otherwise. One editor for the page, which opens within the element at hand.

export class Editor {
  /** `kept(element)` is called when something was kept; `closed(element)` whenever the editor goes. */
  constructor(page, kept, closed) {
    this.box = page.querySelector("template[data-editor]")?.content.firstElementChild.cloneNode(true);
    this.kept = kept;
    this.closed = closed;
    this.fields = [...(this.box?.querySelectorAll("[data-field]") ?? [])];
    this.box?.addEventListener("keydown", (event) => this.key(event));
    this.box?.querySelector("[data-keep]").addEventListener("click", () => this.keep());
    this.box?.querySelector("[data-cancel]").addEventListener("click", () => this.close());
  }

  key(event) {
    const through = event.key === "Enter" && (event.ctrlKey || event.metaKey || event.target.matches("select"));
    if (through) this.keep();
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Edit the chosen option of an element. */
  open(element, input) {
    if (this.element) this.close();
    this.element = element;
    this.before = said(input);
    const now = { ...this.before, ...editedOf(element) };
    const asked = element.dataset.edits.split(" ");
    for (const field of this.fields) {
      field.closest("[data-for]").hidden = !asked.includes(field.dataset.field);
      set(field, now[field.dataset.field] ?? "");
    }
    element.append(this.box);
    this.used().at(0)?.focus();
    this.box.scrollIntoView({ block: "nearest" });
  }

  used() {
    return this.fields.filter((field) => !field.closest("[data-for]").hidden);
  }

  keep() {
    const changed = this.used().filter((field) => field.value !== String(this.before[field.dataset.field] ?? ""));
    const given = changed.map((field) => [field.dataset.field, field.dataset.field === "polarity" ? Number(field.value) : field.value]);
    hiddenOf(this.element).value = given.length ? JSON.stringify(Object.fromEntries(given)) : "";
    this.kept(this.element);
    this.close();
  }

  close() {
    const element = this.element;
    this.element = null;
    this.box.remove();
    if (element) this.closed(element);
  }
}

/** What an option says, by field. */
function said(input) {
  const { type, severity, polarity, comment, edit } = input.closest("label").dataset;
  return { type, severity, polarity, comment, edit, answer: typed(input.value) };
}

/** A key is the answer as JSON. */
function typed(key) {
  try {
    return JSON.parse(key);
  } catch {
    return "";
  }
}

/** A label that the protocol no longer has can still be kept. */
function set(field, value) {
  if (field.matches("select")) {
    for (const own of field.querySelectorAll("[data-own]")) own.remove();
    if (![...field.options].some((option) => option.value === value)) {
      const own = new Option(value || "none", value);
      own.dataset.own = "";
      field.prepend(own);
    }
  }
  field.value = value;
}

const hiddenOf = (element) => element.querySelector("[data-edited]");

/** What of an element is said otherwise, by field. */
export function editedOf(element) {
  const value = hiddenOf(element)?.value;
  return value ? JSON.parse(value) : {};
}

const NAMES = { answer: "answer", type: "type", severity: "severity", polarity: "good or poor", comment: "comment", edit: "replacement" };
const POLES = { "-1": "poor", 0: "neutral", 1: "good" };

/** What is said otherwise, in words. */
export function inWords(edited) {
  const words = (name, value) => (name === "polarity" ? POLES[value] : value) || "none";
  return Object.entries(edited).map(([name, value]) => `${NAMES[name]}: ${words(name, value)}`).join(" · ");
}
