// Which key does what. Single keys never fire in a text field, with a dialog open, or on auto-repeat.

const SIDES = { Digit1: -1, Numpad1: -1, ArrowLeft: -1, Digit2: 1, Numpad2: 1, ArrowRight: 1 };
const ACTS = { u: "undo", s: "skip", d: "difference", y: "together", g: "guidelines", r: "why", p: "prompt", "?": "help" };

/** The act of a key event: {choice: "-2"} or {act: "undo"}; null when it means nothing here. */
export function meaning(event, strengths) {
  if (event.repeat || event.isComposing || document.querySelector("dialog[open]")) return null;
  if (event.ctrlKey || event.metaKey) {
    const undo = event.key.toLowerCase() === "z" && !event.shiftKey && !inField(event.target);
    return undo ? { act: "undo" } : null;
  }
  if (inField(event.target)) return null;
  if (event.altKey && strengths < 3) return null; // the browser's own, such as Alt and ← for back
  if (event.key.startsWith("Arrow") && scrollsSideways(event.target)) return null;
  if (event.code in SIDES) return { choice: String(SIDES[event.code] * strength(event, strengths)) };
  if (event.altKey) return null;
  if (event.code === "Digit0" || event.code === "Numpad0") return { choice: "0" };
  if (event.key.toLowerCase() === "b") return { choice: "both_bad" };
  const act = ACTS[event.key.toLowerCase()];
  return act ? { act } : null;
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
