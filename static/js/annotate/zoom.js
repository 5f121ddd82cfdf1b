// Looking at pictures closely: over the whole window, by wheel, keys, drag or pinch. Of a pair the pictures that
// correspond are side by side, and what is done to one is done to both.

import { h } from "./element.js";

const STEP = 1.4;
const MOST = 24;
const PAN = 0.12; // of the frame, by an arrow key

export class Zoom {
  /** @param {HTMLElement} stage  holds the task; its pictures are the elements with data-picture */
  constructor(stage) {
    this.stage = stage;
    this.views = []; // what is shown together: pictures, each a button of the task
    this.number = 0;
    this.pointers = new Map();
  }

  /** Whether the task in hand has pictures. */
  get ready() {
    return Boolean(this.stage.querySelector("[data-picture]"));
  }

  /** Open at the picture that a click or key was on, else at the responses' first, else at the first. */
  open(target) {
    this.views = viewsOf(this.stage);
    if (!this.views.length) return;
    this.dialog ??= this.make();
    const within = (element) => this.views.findIndex((view) => view.some((picture) => element.contains(picture)));
    const picture = target.closest?.("[data-picture]");
    const around = picture ?? target.closest?.(".response, .task__prompt") ?? this.stage.querySelector(".task__responses");
    this.opener = picture;
    this.dialog.showModal();
    this.show(Math.max(0, within(around)));
  }

  make() {
    const button = (name, words, act) => h("button.button.button--quiet.button--small", { type: "button", "aria-label": words, title: words, on: { click: act } }, name);
    this.said = h("p.zoom__said", { role: "status" });
    this.steps = h("span.zoom__steps", {}, button("‹", "The pictures before (p)", () => this.step(-1)), button("›", "The next pictures (n)", () => this.step(1)));
    this.panes = h("div.zoom__panes");
    const close = button("Close", "Close (Esc)", () => this.dialog.close());
    close.autofocus = true;
    const bar = h("div.zoom__bar", {}, this.said, this.steps, button("−", "Smaller (-)", () => this.zoom(1 / STEP)), button("+", "Larger (+)", () => this.zoom(STEP)), button("Fit", "Fit (0)", () => this.fit()), close);
    const dialog = h("dialog.zoom", { "aria-label": "Pictures, closely" }, bar, this.panes);
    dialog.addEventListener("keydown", (event) => this.onKey(event));
    dialog.addEventListener("close", () => this.closed());
    this.panes.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.panes.addEventListener("pointerdown", (event) => this.onDown(event));
    this.panes.addEventListener("pointermove", (event) => this.onMove(event));
    for (const type of ["pointerup", "pointercancel"]) this.panes.addEventListener(type, (event) => this.pointers.delete(event.pointerId));
    this.panes.addEventListener("dblclick", (event) => (this.scale > 1 ? this.fit() : this.zoom(3, ...this.inFrame(event))));
    document.body.append(dialog);
    return dialog;
  }

  show(number) {
    this.number = number;
    const view = this.views[number];
    this.panes.replaceChildren(...view.map((picture) => pane(picture)));
    this.panes.classList.toggle("zoom__panes--pair", view.length > 1);
    this.steps.hidden = this.views.length < 2;
    this.fit();
  }

  step(direction) {
    this.show((this.number + direction + this.views.length) % this.views.length);
  }

  /** The browser tells of it a moment later, when it may have been opened again already. */
  closed() {
    if (this.dialog.open) return;
    this.panes.replaceChildren();
    this.pointers.clear();
    if (this.opener?.isConnected) this.opener.focus();
  }

  get images() {
    return [...this.panes.querySelectorAll("img")];
  }

  fit() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.draw();
  }

  /** Zoom by a factor about a point, told from the middle of the frame in parts of it. */
  zoom(factor, x = 0, y = 0) {
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    const by = scale / this.scale;
    Object.assign(this, { scale, x: x - (x - this.x) * by, y: y - (y - this.y) * by });
    this.draw();
  }

  pan(x, y) {
    this.x += x;
    this.y += y;
    this.draw();
  }

  /** No picture leaves its frame. */
  draw() {
    const { images } = this;
    const room = (part) => Math.max(0, ...images.map((image) => (this.scale * fitted(image)[part] - 1) / 2));
    const within = (value, most) => Math.min(most, Math.max(-most, value));
    this.x = within(this.x, room(0));
    this.y = within(this.y, room(1));
    for (const image of images) image.style.transform = `translate(${this.x * 100}%, ${this.y * 100}%) scale(${this.scale})`;
    const which = this.views.length > 1 ? `${this.number + 1} of ${this.views.length}, ` : "";
    this.said.textContent = `${which}${Math.round(this.scale * 100)} %`;
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && event.repeat) return event.preventDefault();
    const arrows = { ArrowLeft: [PAN, 0], ArrowRight: [-PAN, 0], ArrowUp: [0, PAN], ArrowDown: [0, -PAN] };
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const acts = { "+": () => this.zoom(STEP), "=": () => this.zoom(STEP), "-": () => this.zoom(1 / STEP), 0: () => this.fit(), n: () => this.step(1), PageDown: () => this.step(1), p: () => this.step(-1), PageUp: () => this.step(-1), z: () => this.dialog.close() };
    if (acts[event.key]) acts[event.key]();
    else if (sideways && this.scale === 1) this.step(sideways);
    else if (arrows[event.key]) this.pan(...arrows[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation(); // what closes the window is no key for the task below it
  }

  /** Where an event was, from the middle of its frame in parts of it. */
  inFrame(event) {
    const { left, top, width, height } = this.frame(event).getBoundingClientRect();
    return [(event.clientX - left) / width - 0.5, (event.clientY - top) / height - 0.5];
  }

  frame(event) {
    return event.target.closest(".zoom__frame") ?? this.panes.querySelector(".zoom__frame");
  }

  onWheel(event) {
    event.preventDefault();
    this.zoom(Math.exp(-Math.min(50, Math.max(-50, event.deltaY)) / 200), ...this.inFrame(event));
  }

  onDown(event) {
    const frame = event.target.closest(".zoom__frame");
    if (!frame || event.button) return;
    event.preventDefault();
    frame.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
  }

  /** One pointer drags; two of them pinch. */
  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const { clientWidth, clientHeight } = this.frame(event);
    const other = [...this.pointers.values()].find((one) => one.pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (!other) return this.pan((event.clientX - before.clientX) / clientWidth, (event.clientY - before.clientY) / clientHeight);
    this.zoom(distance(event, other) / Math.max(1, distance(before, other)), ...this.inFrame(event));
  }
}

/** What is shown together: of a pair the pictures at the same place of both responses; any other by itself. */
function viewsOf(stage) {
  const pictures = (root) => [...root.querySelectorAll("[data-picture]")];
  const alone = (root) => pictures(root).map((picture) => [picture]);
  const prompt = [...stage.querySelectorAll(".task__prompt")].flatMap(alone);
  const responses = [...stage.querySelectorAll(".response")];
  const [first, second] = responses.map(pictures);
  if (!stage.querySelector(".task--preference") || !first?.length || !second?.length) return [...prompt, ...responses.flatMap(alone)];
  const rows = Array.from({ length: Math.max(first.length, second.length) }, (_, n) => [first[n], second[n]].filter(Boolean));
  return [...prompt, ...rows];
}

function pane(picture) {
  const { src, alt } = picture.querySelector("img");
  const [width, height] = ["width", "height"].map((name) => picture.querySelector("img").getAttribute(name));
  const place = picture.closest(".response")?.getAttribute("aria-label") ?? "Prompt";
  const said = picture.dataset.alt ? `${place}: ${picture.dataset.alt}` : place;
  return h("figure.zoom__pane", {}, h("div.zoom__frame", {}, h("img", { src, alt, width, height, draggable: "false" })), h("figcaption", {}, said));
}

/** How much of its frame's width and height an image takes when it fits. */
function fitted(image) {
  const { clientWidth, clientHeight } = image.parentElement;
  const [width, height] = [image.naturalWidth || Number(image.getAttribute("width")), image.naturalHeight || Number(image.getAttribute("height"))];
  const by = Math.min(clientWidth / width, clientHeight / height);
  return [(width * by) / clientWidth, (height * by) / clientHeight];
}

function distance(one, other) {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}
