// What every page may use: theme switch, copy buttons, confirmation, notices, menus. All of it is a
// convenience: without this file every form still posts and every page still reads.

const root = document.documentElement;

function setTheme(theme) {
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
}

async function saveTheme(form, button) {
  setTheme(button.value);
  for (const other of form.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
  const data = new FormData(form);
  data.set("theme", button.value);
  try {
    await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" } });
  } catch {
    // The colours changed here; the next switch saves them.
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy) ?? button.parentElement.querySelector("code, pre, output");
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    say(button, "Copied");
  } catch {
    getSelection().selectAllChildren(source);
    say(button, "Selected");
  }
}

function say(button, word) {
  const before = (button.dataset.label ??= button.textContent);
  button.textContent = word;
  setTimeout(() => (button.textContent = before), 1600);
}

/** Asks in a dialog before a form with data-confirm is sent. */
function confirmFirst(form, submitter) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  const row = document.createElement("form");
  const no = document.createElement("button");
  const yes = document.createElement("button");
  text.id = "confirm-text";
  text.textContent = form.dataset.confirm;
  dialog.setAttribute("aria-labelledby", text.id);
  dialog.className = "confirm";
  row.method = "dialog";
  row.className = "row row--end";
  no.className = "button";
  no.textContent = "Cancel";
  no.autofocus = true;
  yes.className = "button button--danger";
  yes.value = "yes";
  yes.textContent = form.dataset.confirmYes ?? submitter?.textContent.trim() ?? "Go on";
  row.append(no, yes);
  dialog.append(text, row);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue !== "yes") return submitter?.focus();
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter);
  });
  dialog.showModal();
}

function addCloseButtons() {
  for (const notice of document.querySelectorAll(".messages > .notice")) {
    const text = document.createElement("span");
    text.append(...notice.childNodes);
    const close = document.createElement("button");
    close.type = "button";
    close.className = "notice__close";
    close.setAttribute("aria-label", "Dismiss");
    close.textContent = "×";
    close.dataset.dismiss = "";
    notice.append(text, close);
  }
}

/** Fills an address from a name until somebody types an address. */
function followName(field) {
  const name = document.getElementById(field.dataset.slugOf);
  let own = field.value !== "";
  field.addEventListener("input", () => (own = field.value !== ""));
  name.addEventListener("input", () => {
    if (own) return;
    const plain = name.value.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
    field.value = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 80);
  });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy], [data-dismiss]");
  if (button && "copy" in button.dataset) copy(button);
  else if (button) button.closest(".notice").remove();
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if ("themeSwitch" in form.dataset && event.submitter) {
    event.preventDefault();
    saveTheme(form, event.submitter);
  } else if (form.dataset.confirm && form.dataset.confirmed !== "yes") {
    event.preventDefault();
    confirmFirst(form, event.submitter);
  }
});

for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
for (const field of document.querySelectorAll("[data-slug-of]")) followName(field);
for (const current of document.querySelectorAll(".tabs [aria-current]")) {
  const strip = current.closest(".tabs");
  strip.scrollLeft = current.offsetLeft - (strip.clientWidth - current.offsetWidth) / 2;
}
addCloseButtons();
