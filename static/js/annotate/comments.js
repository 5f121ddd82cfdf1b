// The comments of the task in hand, in a dialog of their own: read, written and closed without leaving the task.

import { csrfToken } from "./journal.js";

const dialog = document.getElementById("comments");
const button = document.querySelector("[data-comments]");
const stage = document.getElementById("stage");
const body = dialog.querySelector("[data-comments-body]");
const task = () => stage.firstElementChild?.dataset.task;
const address = () => stage.dataset.commentsUrl.replace("/0/", `/${task()}/`);

async function load(options) {
  try {
    const response = await fetch(address(), options);
    if (response.redirected || (!response.ok && response.status !== 422)) throw new Error(response.statusText);
    body.innerHTML = await response.text();
  } catch {
    body.innerHTML = '<p class="error">The server cannot be reached; nothing was written.</p>';
  }
  body.querySelector("textarea")?.focus();
}

button.addEventListener("click", () => {
  if (!task()) return;
  body.textContent = "";
  dialog.showModal();
  load();
});

dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.closest("[data-close]")) dialog.close();
});

dialog.addEventListener("submit", (event) => {
  event.preventDefault();
  load({ method: "POST", headers: { "X-CSRFToken": csrfToken() }, body: new FormData(event.target) });
});

dialog.addEventListener("close", () => button.focus());
