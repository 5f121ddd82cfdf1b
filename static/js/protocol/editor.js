// The editor of a protocol: rows without a reload, a preview as one types, and a warning before work is lost.
// Without this file every button posts the form, and the server answers with the page.
import { Preview } from "./preview.js";
import { Rows } from "./rows.js";

const form = document.querySelector("[data-protocol]");
const said = document.querySelector("[data-said]");
const note = form.querySelector("[data-dirty]");
let dirty = false;

function changed() {
  dirty = true;
  note.hidden = false;
  preview.soon();
}

const preview = new Preview(form, document.querySelector("[data-preview-body]"), document.querySelector("[data-preview-said]"));
const rows = new Rows(form, changed, (words) => (said.textContent = words));

form.addEventListener("input", changed);
form.addEventListener("submit", () => (dirty = false));
form.addEventListener("formdata", ({ formData }) => {
  for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
});
form.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("input:not([type=checkbox])")) event.preventDefault();
});
addEventListener("beforeunload", (event) => {
  if (dirty) event.preventDefault();
});

for (const plain of form.querySelectorAll("[data-plain]")) plain.hidden = true;
if (form.dataset.grown) rows.toLast(form.dataset.grown);
else form.querySelector("[aria-invalid=true]")?.focus();
