// Which key does what. Single keys never fire in a text field, with a dialog open, or on auto-repeat; each can be
// changed and all can be switched off, per person (WCAG 2.1.4).

import { csrfToken } from "./journal.js";

const SIDES = { Digit1: -1, Numpad1: -1, ArrowLeft: -1, Digit2: 1, Numpad2: 1, ArrowRight: 1 };

/** Every act with its key: `when` says on which tasks it is of use. */
export const ACTS = [
  { act: "undo", key: "u", label: "Take the last step back", also: "Ctrl Z" },
  { act: "redo", key: "", label: "Do it again", also: "Ctrl Shift Z", when: "work" },
  { act: "skip", key: "s", label: "Skip, with a reason" },
  { act: "why", key: "r", label: "Write why; Esc leaves the field", when: "rationale" },
  { act: "difference", key: "d", label: "Show the words that differ", when: "pair" },
  { act: "together", key: "y", label: "Scroll both responses together, or not", when: "pair" },
  { act: "prompt", key: "o", label: "Show more or less of the prompt" },
  { act: "zoom", key: "z", label: "Look at the pictures closely", when: "pictures" },
  { act: "guidelines", key: "g", label: "Guidelines", when: "guidelines" },
  { act: "raw", key: "m", label: "Show the texts as they are written, or rendered", when: "work" },
  { act: "heat", key: "h", label: "Heat map: what a model says of each word", when: "heat" },
  { act: "next", key: "n", label: "Next critique, or next sentence or step", when: "work" },
  { act: "previous", key: "p", label: "The one before", when: "work" },
  { act: "accept", key: "a", label: "Accept the suggestion", when: "work" },
  { act: "reject", key: "x", label: "Reject it", when: "work" },
  { act: "edit", key: "e", label: "Edit: go to the comment", when: "work" },
  { act: "accept-all", key: "A", label: "Accept all that are open", when: "critiques" },
  { act: "caret", key: "c", label: "Caret: move through the text by keyboard", when: "work" },
  { act: "whole", key: "w", label: "Critique the whole response", when: "critiques" },
  { act: "missing", key: "i", label: "Say that something is missing", when: "omission" },
  { act: "critique", key: "t", label: "Critique this sentence or step", when: "units" },
  { act: "evidence", key: "v", label: "Mark what proves it", when: "work" },
  { act: "join", key: "j", label: "Join this sentence or step with the next", when: "units" },
  { act: "split", key: "k", label: "Split it at the caret or selection", when: "units" },
  { act: "remove", key: "Delete", label: "Remove the critique in hand", when: "critiques" },
  { act: "help", key: "?", label: "These keys" },
];
const NAMES = { Delete: "Del", " ": "Space" };

export class Keys {
  /** @param {{off?: boolean, map?: Object<string, string>}} settings  what this person has changed */
  constructor(settings, address) {
    this.settings = { off: false, map: {}, ...settings };
    this.address = address;
  }

  of(act) {
    return this.settings.map[act] ?? ACTS.find((one) => one.act === act)?.key ?? "";
  }

  /** The key of an act as it is shown. */
  shown(act) {
    const key = this.of(act);
    if (!key || this.settings.off) return "";
    return NAMES[key] ?? (/^[A-Z]$/.test(key) ? `⇧${key}` : key.toUpperCase());
  }

  /** The act that a key event asks for, or null. */
  act(event) {
    if (event.repeat && event.key !== "[" && event.key !== "]") return null;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z" || inField(event.target)) return null;
      return event.shiftKey ? "redo" : "undo";
    }
    if (this.settings.off || event.altKey || event.isComposing || inField(event.target)) return null;
    const key = event.key.length === 1 && !event.shiftKey ? event.key.toLowerCase() : event.key;
    return ACTS.find((one) => this.of(one.act) === key)?.act ?? (key === "Backspace" ? "remove" : null);
  }

  /** Whether single keys may mean something now. */
  single(event) {
    return !this.settings.off && !event.isComposing && !event.ctrlKey && !event.metaKey && !inField(event.target);
  }

  async change(settings) {
    this.settings = { ...this.settings, ...settings };
    const body = JSON.stringify(this.settings);
    const headers = { "X-CSRFToken": csrfToken(), "Content-Type": "application/json" };
    return (await fetch(this.address, { method: "POST", headers, body })).ok;
  }
}

/** The preference that a key event says, such as "-2" or "both_bad"; null when it says none. */
export function choiceOf(event, strengths) {
  if (event.repeat || event.isComposing || event.ctrlKey || event.metaKey || inField(event.target)) return null;
  if (event.altKey && strengths < 3) return null; // the browser's own, such as Alt and ← for back
  if (event.key.startsWith("Arrow") && scrollsSideways(event.target)) return null;
  if (event.code in SIDES) return String(SIDES[event.code] * strength(event, strengths));
  if (event.altKey) return null;
  if (event.code === "Digit0" || event.code === "Numpad0") return "0";
  return event.key.toLowerCase() === "b" ? "both_bad" : null;
}

function strength(event, strengths) {
  if (strengths === 1) return 1;
  if (strengths === 2) return event.shiftKey ? 2 : 1;
  return event.shiftKey ? 3 : event.altKey ? 1 : 2;
}

function scrollsSideways(target) {
  return target !== document.body && target.scrollWidth > target.clientWidth;
}

export function inField(target) {
  return Boolean(target.closest?.("input, textarea, select, [contenteditable]"));
}

/** The digit of a key event, whatever Shift made of it; null for any other key. */
export function digitOf(event) {
  const found = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  return found && !event.ctrlKey && !event.metaKey && !event.altKey ? Number(found[1]) : null;
}
