// On the buttons of a preference: what a model suggests, and what was answered before.

/**
 * @param {import("./work.js").Work | undefined} work  of the task in hand
 * @param {string | undefined} axis  which is asked
 */
export function markChoices(work, axis) {
  const said = work?.suggestedPreferences.find((one) => one.axis === axis);
  const before = work?.preferences?.find((one) => one.axis === axis);
  for (const button of document.querySelectorAll("[data-choice]")) {
    const suggested = Boolean(said) && button.dataset.choice === named(said);
    button.toggleAttribute("data-suggested", suggested);
    button.toggleAttribute("data-answered", Boolean(before) && button.dataset.choice === named(before));
    button.querySelector(".choice__origin").textContent = suggested ? [said.origin, said.probability?.toFixed(2) ?? ""].join(" ") : "";
  }
}

function named({ value, both_bad }) {
  return both_bad ? "both_bad" : String(value);
}
