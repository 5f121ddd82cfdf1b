// Keys of the review page: a letter presses the button that carries it; digits choose once a fix is open.

const shows = (id) => document.getElementById(id);

function open(button) {
  const part = shows(button.dataset.opens);
  part.hidden = !part.hidden;
  button.ariaExpanded = String(!part.hidden);
  if (!part.hidden) part.querySelector("button, select").focus();
}

/** A decision that needs a reason asks for it first. */
function lacks(button) {
  const field = button.dataset.needs && shows(button.dataset.needs);
  if (!field || field.value.trim()) return false;
  field.required = true;
  field.reportValidity();
  field.focus();
  field.required = false;
  return true;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-opens], [data-needs]");
  if (button?.dataset.opens) open(button);
  else if (button && lacks(button)) event.preventDefault();
});

document.addEventListener("submit", (event) => {
  for (const field of event.target.querySelectorAll("[data-copy-of]")) field.value = shows(field.dataset.copyOf).value;
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const fix = shows("fix");
  const wanted = /^[1-9]$/.test(event.key) && fix && !fix.hidden ? `[data-digit="${event.key}"]` : /^[a-z]$/.test(event.key) ? `[data-key="${event.key}"]` : "";
  const button = wanted && document.querySelector(wanted);
  if (!button) return;
  event.preventDefault();
  button.click();
});
