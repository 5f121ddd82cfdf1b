// A question with its answers as buttons, each with the key that presses it while the question is in hand.

import { needsWords } from "./asks.js";
import { h } from "./element.js";

/** The answers that a question offers: {value, label, key, about, color}. */
export function options(question) {
  switch (question.kind) {
    case "yesno":
      return [{ value: true, label: "Yes", key: "1", color: "green" }, { value: false, label: "No", key: "2", color: "red" }];
    case "rating":
      return Array.from({ length: question.high - question.low + 1 }, (_, n) => rated(question, question.low + n));
    case "choice":
    case "choices":
      return question.options.map((option, n) => ({ ...option, value: option.name, label: option.label || option.name, key: option.key || (n < 9 ? String(n + 1) : "") }));
  }
  return [];
}

function rated(question, value) {
  const key = value === -1 ? "-" : value >= 0 && value <= 9 ? String(value) : "";
  const label = question.options.find((option) => option.name === String(value))?.label;
  const color = question.low < 0 ? (value < 0 ? "red" : value > 0 ? "green" : "grey") : "";
  return { value, label: label || signed(value, question), key, color };
}

function signed(value, question) {
  return question.low < 0 && value > 0 ? `+${value}` : String(value).replace("-", "−");
}

/** The answer that a key gives to a question, or undefined. */
export function keyed(question, key) {
  return options(question).find((option) => option.key && option.key === key)?.value;
}

/**
 * @param {Object} ask      from Asks
 * @param {Object} view     said, suggested, current, and what to do: answer, comment, confirm, go, evidence
 */
export function questionElement(ask, view) {
  const { question } = ask;
  const { said, suggested } = view;
  const id = `q-${ask.key.replace(/\W+/g, "-")}`;
  const box = h("div.question", { "data-ask": ask.key, role: "group", "aria-labelledby": id },
    h("p.question__words", { id }, question.question, question.required ? null : h("span.muted", {}, " (optional)")));
  if (view.current) box.classList.add("question--current");
  if (question.kind === "text") box.append(words(question.question, String(said?.answer ?? ""), (text, merge) => view.answer(text.trim() ? text : null, merge), `${ask.key}:text`, () => view.done()));
  else box.append(choice(ask, view));
  if (suggested) box.append(suggestion(question, suggested, said));
  if (said && (question.comment !== "off" || needsWords(question, said.answer))) box.append(words(needsWords(question, said.answer) ? "Why? (required)" : "Why? (optional)", said.comment ?? "", (text) => view.comment(text), `${ask.key}:comment`, () => view.done()));
  if (said && question.evidence !== "off" && said.answer !== false) box.append(evidence(question, said, view));
  return box;
}

function choice(ask, view) {
  const { question } = ask;
  const several = question.kind === "choices";
  const chosen = (value) => (several ? view.said?.answer.includes(value) : view.said?.answer === value);
  const row = h("div.chips", {}, options(question).map((option) => {
    const open = !view.said && same(view.suggested?.answer, option.value, several);
    return h("button.chip", {
      type: "button", title: option.about || null, "data-color": option.color || null, "aria-pressed": String(Boolean(chosen(option.value))),
      "data-suggested": open, "data-focus": `${ask.key}:${option.value}`,
      on: { click: () => view.choose(option.value) },
    }, option.label, view.current && option.key ? h("kbd", { "aria-hidden": "true" }, option.key.replace("-", "−")) : null);
  }));
  if (several && view.current) row.append(h("button.button.button--small.button--primary", { type: "button", on: { click: () => view.confirm() } }, view.said?.answer.length ? "These" : "None of these", h("kbd", { "aria-hidden": "true" }, "Enter")));
  return row;
}

function same(suggested, value, several) {
  return suggested !== undefined && (several ? suggested.includes(value) : suggested === value);
}

/** Name, version and score of a model, apart from each other. */
export function originOf({ origin, version, score }) {
  return [origin, version && `v${version}`, typeof score === "number" && score.toFixed(2)].filter(Boolean).join(" · ");
}

/** What a model says, visibly not yet anybody's answer. */
function suggestion(question, suggested, said) {
  const label = [suggested.answer].flat().map((value) => options(question).find((option) => option.value === value)?.label ?? String(value)).join(", ");
  const taken = said && JSON.stringify(said.answer) === JSON.stringify(suggested.answer);
  return h("p.suggestion", {}, h("span.badge.badge--model", {}, originOf(suggested)), ` says ${label || "nothing"}`,
    suggested.comment ? `: ${suggested.comment}` : "", said && !taken ? " (overruled)" : "");
}

/** A field for words; `keep` is told each change, `done` when it is left. */
export function words(label, value, keep, focus, done = null) {
  const field = h("textarea.words", { rows: 1, maxlength: 20000, "aria-label": label, placeholder: label, "data-focus": focus, dir: "auto", value });
  field.addEventListener("input", () => keep(field.value, focus));
  if (done) field.addEventListener("change", done);
  return field;
}

function evidence(question, said, view) {
  const label = said.evidence?.quote ? `“${said.evidence.quote}”` : question.evidence === "required" ? "Mark what proves it (required)" : "Mark what proves it";
  return h("button.evidence", { type: "button", on: { click: () => view.evidence() }, "aria-pressed": String(Boolean(view.picking)) },
    view.picking ? "Select it in a document…" : label, h("kbd", { "aria-hidden": "true" }, "V"));
}
