// Keys of proposals: j and k go from one to the next, a accepts, r refuses, u opens again; what is decided is passed.

const list = document.querySelector("[data-proposals]");
const all = () => [...list.querySelectorAll("[data-proposal]")];
let at = null;

function go(card) {
  if (!card) return;
  at = card.id;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function step(by) {
  const cards = all();
  const place = cards.findIndex((card) => card.id === at);
  go(cards[place < 0 ? 0 : Math.max(0, Math.min(cards.length - 1, place + by))]);
}

function press(key) {
  const card = all().find((one) => one.id === at);
  card?.querySelector(`[data-key="${key}"]`)?.click();
}

function keydown(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, textarea, select")) return;
  if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
  else if ("aru".includes(event.key)) press(event.key);
  else return;
  event.preventDefault();
}

if (list) {
  list.addEventListener("focusin", ({ target }) => {
    at = target.closest("[data-proposal]")?.id ?? at;
  });
  if (!("keysOff" in list.dataset)) document.addEventListener("keydown", keydown);
  // A card that was decided is another element now: on to the next open one, or stay on it.
  document.addEventListener("htmx:load", ({ target }) => {
    const card = target?.id ? document.getElementById(target.id) : null;
    if (!card || card.id !== at) return;
    const cards = all();
    const behind = cards.slice(cards.findIndex((one) => one.id === at) + 1);
    const next = card.dataset.proposal === "open" ? null : behind.find((one) => one.dataset.proposal === "open");
    go(next ?? card);
  });
}
