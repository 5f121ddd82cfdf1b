// What is being said of the task in hand besides preferences: critiques, verdicts, ranks, mended boundaries.
// Every change goes through `change`, so every change can be taken back and is kept as a draft.

import { csrfToken } from "./journal.js";

const AUTOSAVE = 1500; // ms of quiet before the server keeps the draft too
const KEPT_ALIVE = 20000; // letters of a draft that is sent even while the page goes; browsers allow 64 KiB
const FIELDS = ["response", "message", "start", "end", "quote", "unit", "type", "severity", "polarity", "comment", "edit", "omission", "evidence"];

export class Work extends EventTarget {
  /**
   * @param {Object} protocol  what is asked
   * @param {Object} given     the task's sources, suggestions and draft (annotate/content.py)
   * @param {Drafts} drafts    where the draft of this task is kept
   */
  constructor(protocol, given, drafts) {
    super();
    this.protocol = protocol;
    this.given = given;
    this.drafts = drafts;
    this.suggestedVerdicts = new Map();
    this.suggestedPreferences = [];
    this.past = [];
    this.future = [];
    this.merging = "";
    this.current = null; // the id of the critique in hand
    this.since = performance.now();
    this.state = { critiques: [], verdicts: {}, ranks: given.responses.map(() => 0), units: {} };
    for (const suggestion of given.suggestions) this.take(suggestion);
    this.fresh = JSON.stringify(this.state);
    const draft = drafts.newest(given.draft);
    if (draft) this.resume(draft);
  }

  get critiques() {
    return this.state.critiques;
  }

  get verdicts() {
    return this.state.verdicts;
  }

  /** Whether anything was said that is not a model's. */
  get touched() {
    return JSON.stringify(this.state) !== this.fresh;
  }

  /** Put a model's answer beforehand: open until a person accepts, edits or rejects it. */
  take(suggestion) {
    const { origin, version, score } = suggestion;
    for (const said of this.protocol.critiques.on ? suggestion.critiques : []) {
      if (this.critiques.some((one) => one.from === said.id)) continue;
      this.critiques.push({ ...pick(said, FIELDS), id: `s${said.id}`, from: said.id, origin, version, score, review: "open" });
    }
    for (const said of suggestion.verdicts) {
      const key = verdictKey(said);
      if (!this.suggestedVerdicts.has(key)) this.suggestedVerdicts.set(key, { ...said, origin, version, score });
    }
    for (const said of suggestion.preferences) this.suggestedPreferences.push({ ...said, origin, version, score });
    if (suggestion.ranks.length) this.suggestedRanks ??= { ranks: suggestion.ranks, origin, version, score };
    this.sort();
  }

  /** Go on with a draft: what was said, and what was decided of the suggestions that are still there. */
  resume(draft) {
    const suggested = new Map(this.critiques.map((one) => [one.from, one]));
    const kept = draft.critiques.filter((one) => !one.from || suggested.has(one.from));
    const seen = new Set(kept.map((one) => one.from));
    const rest = this.critiques.filter((one) => !seen.has(one.from));
    Object.assign(this.state, draft, { critiques: [...kept.map((one) => ({ ...one, ...origins(suggested.get(one.from)) })), ...rest] });
    this.sort();
  }

  /** Take up an answer that was committed: after an undo, or when the models' answers are shown after it. */
  restore(body) {
    const known = new Map(this.critiques.map((one) => [one.from, one]));
    const own = (body.critiques ?? []).map((said, n) => {
      const from = said.derived_from ?? null;
      const suggested = known.get(from);
      const rejected = said.rejected || said.review === "rejected";
      const review = !from ? "" : rejected ? "rejected" : suggested && differs(said, suggested) ? "edited" : "accepted";
      return { ...pick((rejected && suggested) || said, FIELDS), id: `r${n}`, from, review, ...origins(suggested) };
    });
    const seen = new Set(own.map((one) => one.from).filter(Boolean));
    this.state.critiques = [...own, ...this.critiques.filter((one) => !seen.has(one.from))];
    for (const said of body.verdicts ?? []) this.verdicts[verdictKey(said)] = pick(said, ["question", "answer", "response", "comment", "start", "end", "evidence"]);
    if (body.ranks?.length) this.state.ranks = [...body.ranks];
    this.given.responses.forEach((_, response) => this.mend(response, body.units?.[response]));
    this.preferences = body.preferences ?? [];
    this.sort();
    this.save();
    this.tell();
  }

  /** Boundaries of a committed answer: as it told them, else as its verdicts have them. */
  mend(response, told) {
    if (told?.length) return (this.state.units[response] = structuredClone(told));
    const { units } = this.given.responses[response];
    const said = Object.values(this.verdicts).filter((one) => one.response === response && one.start !== null);
    const spans = new Map(said.map(({ start, end }) => [`${start}:${end}`, [start, end]]));
    for (const [start, end] of units) spans.delete(`${start}:${end}`);
    if (!spans.size) return;
    const mended = [...spans.values()];
    const rest = units.filter(([start, end]) => !mended.some((one) => start < one[1] && one[0] < end));
    this.state.units[response] = [...mended, ...rest].sort((a, b) => a[0] - b[0]);
  }

  /** Do `edit` to the state, in a way that can be taken back. Changes with the same `merge` in a row are one. */
  change(words, edit, merge = "") {
    const before = structuredClone(this.state);
    edit(this.state);
    if (!merge || merge !== this.merging) this.past.push({ state: before, words, current: this.current });
    this.merging = merge;
    this.future = [];
    this.sort();
    this.save();
    this.tell(Boolean(merge), words);
  }

  /** Take the last change back; its words, or nothing when there is none. */
  undo() {
    return this.step(this.past, this.future);
  }

  redo() {
    return this.step(this.future, this.past);
  }

  step(from, to) {
    const found = from.pop();
    if (!found) return "";
    to.push({ state: this.state, words: found.words, current: this.current });
    this.state = found.state;
    this.current = found.current;
    this.merging = "";
    this.save();
    this.tell();
    return found.words;
  }

  tell(typing = false, words = "") {
    this.dispatchEvent(new CustomEvent("change", { detail: { typing, words } }));
  }

  /** In the order of the text; what is about the whole response comes first. */
  sort() {
    this.critiques.sort((a, b) => a.response - b.response || a.message - b.message || (a.start ?? -1) - (b.start ?? -1) || (a.end ?? -1) - (b.end ?? -1));
  }

  save() {
    this.drafts.keep(this.touched ? this.state : null);
  }

  /** The critique in hand. */
  get selected() {
    return this.critiques.find((one) => one.id === this.current) ?? null;
  }

  select(id) {
    if (this.current === id) return;
    const before = this.current;
    this.current = id;
    this.since = performance.now();
    this.merging = "";
    this.dispatchEvent(new CustomEvent("select", { detail: { before } }));
  }

  /** The next (1) or the previous (-1) critique in the order of the text. */
  neighbour(direction) {
    if (!this.critiques.length) return null;
    const at = this.critiques.findIndex((one) => one.id === this.current);
    if (at < 0) return this.critiques.at(direction > 0 ? 0 : -1);
    return this.critiques[at + direction] ?? null;
  }

  add(said) {
    const id = `c${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
    const whole = { response: 0, message: 0, start: null, end: null, quote: "", unit: "span", type: "", severity: "", polarity: null, comment: "", edit: null, omission: false, evidence: null };
    this.change("New critique", (state) => state.critiques.push({ ...whole, ...said, id, from: null, review: "" }));
    this.select(id);
    return id;
  }

  /** Change fields of one critique; a suggestion that is changed is accepted by it, with changes. */
  edit(id, fields, words = "Changed", merge = "") {
    this.change(words, (state) => {
      const one = state.critiques.find((critique) => critique.id === id);
      Object.assign(one, fields);
      if (one.from) this.reviewed(one, "edited");
    }, merge && `${merge}:${id}`);
  }

  review(id, review) {
    const words = { accepted: "Accepted", rejected: "Rejected", open: "Open again" }[review];
    this.change(words, (state) => this.reviewed(state.critiques.find((one) => one.id === id), review));
  }

  reviewed(one, review) {
    one.review = review;
    one.review_ms = Math.round(performance.now() - this.since);
  }

  acceptAll() {
    const open = this.critiques.filter((one) => one.review === "open").map((one) => one.id);
    if (!open.length) return 0;
    this.change(`Accepted ${open.length}`, (state) => {
      for (const one of state.critiques) if (open.includes(one.id)) this.reviewed(one, "accepted");
    });
    return open.length;
  }

  remove(id) {
    this.change("Removed", (state) => (state.critiques = state.critiques.filter((one) => one.id !== id)));
    this.select(null);
  }

  answer(said) {
    const key = verdictKey(said);
    this.change("Answered", (state) => {
      const before = state.verdicts[key] ?? { comment: "", evidence: null };
      if (said.answer === undefined || said.answer === null) delete state.verdicts[key];
      else state.verdicts[key] = { ...before, start: null, end: null, ...said, ...this.looked(key) };
    }, said.merge && `${said.merge}:${key}`);
  }

  /** How long a suggested answer was looked at. */
  looked(key) {
    return this.suggestedVerdicts.has(key) ? { review_ms: Math.round(performance.now() - this.since) } : {};
  }

  /** As the API wants it. */
  body() {
    const suggested = (key) => this.suggestedVerdicts.get(key)?.id ?? null;
    const units = Object.fromEntries(Object.entries(this.state.units).filter(([, spans]) => spans.length));
    return {
      critiques: this.critiques.filter((one) => one.review !== "open").map(committed),
      verdicts: Object.entries(this.verdicts).map(([key, { merge, ...said }]) => ({ ...said, derived_from: suggested(key) })),
      ranks: this.protocol.kind === "ranking" ? this.state.ranks : [],
      units,
    };
  }

  /** The sentences or steps of a response, mended by hand or as given. */
  units(response) {
    return this.state.units[response] ?? this.given.responses[response].units;
  }

  text(response, message = 0) {
    return this.given.responses[response].texts[message] ?? "";
  }
}

export function verdictKey({ response = 0, question, start = null }) {
  return `${response}|${question}|${start ?? ""}`;
}

function committed(one) {
  const said = { ...pick(one, FIELDS), derived_from: one.from, review_ms: one.from ? (one.review_ms ?? 0) : null };
  return one.review === "rejected" ? { ...said, rejected: true } : said;
}

function differs(said, suggested) {
  return JSON.stringify(pick(said, FIELDS)) !== JSON.stringify(pick(suggested, FIELDS));
}

function origins(one) {
  return one ? pick(one, ["origin", "version", "score"]) : {};
}

function pick(object, names) {
  return Object.fromEntries(names.map((name) => [name, object[name] ?? null]).map(([name, value]) => [name, value ?? DEFAULTS[name] ?? null]));
}

const DEFAULTS = { response: 0, message: 0, quote: "", unit: "span", type: "", severity: "", comment: "", omission: false };

/** The draft of one task: at once in this browser, and after a moment at the server. */
export class Drafts {
  /** @param {{key: string, address: string}} where  its name in this browser, its address at the server */
  constructor({ key, address }) {
    this.key = key;
    this.address = address;
  }

  /** The newer one of this browser's and the server's. */
  newest(saved) {
    let here = null;
    try {
      here = JSON.parse(localStorage.getItem(this.key) ?? "null");
    } catch {
      // what cannot be read is no draft
    }
    const { at = saved?.saved ?? 0, ...state } = saved?.body ?? {};
    return (here?.at ?? 0) >= at ? here?.state : state;
  }

  /** `state` null says that nothing is left of the draft, which the server may learn later than this browser. */
  keep(state) {
    const at = Date.now();
    try {
      localStorage.setItem(this.key, JSON.stringify({ state, at }));
    } catch {
      // the storage is full; the server keeps it
    }
    clearTimeout(this.later);
    this.later = setTimeout(() => this.send(state && { ...state, at }), AUTOSAVE);
  }

  send(state) {
    const headers = { "X-CSRFToken": csrfToken(), "Content-Type": "application/json" };
    const body = JSON.stringify(state);
    fetch(this.address, { method: "POST", headers, body, keepalive: body.length < KEPT_ALIVE }).catch(() => {});
  }

  /** It was committed: nothing is kept here any more, and the server forgets its own. */
  drop() {
    clearTimeout(this.later);
    localStorage.removeItem(this.key);
  }
}
