// Dropping a file and seeing its upload go. Without this file the form posts as it is.

const form = document.querySelector("[data-upload]");
const zone = form.querySelector("[data-drop-zone]");
const input = form.querySelector("[data-drop]");
const name = form.querySelector("[data-drop-name]");
const bar = form.querySelector("progress");
const said = form.querySelector("[data-upload-said]");
const button = form.querySelector("button");

function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let n = bytes;
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) {
    n /= 1000;
    unit += 1;
  }
  return `${n < 10 && unit ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
}

function show() {
  const file = input.files[0];
  name.textContent = file ? `${file.name}, ${size(file.size)}` : "Choose a file";
}

function over(event) {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  zone.classList.toggle("drop--over", event.type !== "dragleave");
}

function drop(event) {
  event.preventDefault();
  zone.classList.remove("drop--over");
  if (!event.dataTransfer.files.length) return;
  input.files = event.dataTransfer.files;
  show();
}

function fail(text) {
  said.textContent = text;
  bar.hidden = true;
  button.disabled = false;
}

function send(event) {
  event.preventDefault();
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.upload.addEventListener("progress", (now) => {
    if (!now.lengthComputable) return;
    bar.value = (100 * now.loaded) / now.total;
    said.textContent = `${Math.floor(bar.value)} % of ${size(now.total)}`;
  });
  request.addEventListener("load", () => {
    const errors = [...(new DOMParser().parseFromString(request.responseText, "text/html").querySelectorAll("form .error, form .notice--error"))];
    if (request.status < 300) location.assign(request.responseURL);
    else fail(errors.map((error) => error.textContent.trim()).join(" ") || `The server answered ${request.status}.`);
  });
  request.addEventListener("error", () => fail("The connection was lost. Try again."));
  bar.hidden = false;
  button.disabled = true;
  request.send(new FormData(form));
}

form.querySelector("[data-drop-hint]").hidden = false;
input.addEventListener("change", show);
for (const type of ["dragenter", "dragover", "dragleave"]) zone.addEventListener(type, over);
zone.addEventListener("drop", drop);
form.addEventListener("submit", send);
addEventListener("pageshow", () => {
  button.disabled = false;
  bar.hidden = true;
  show();
});
