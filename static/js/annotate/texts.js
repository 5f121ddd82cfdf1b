// The texts of a task on the page, each with its map between page and source: responses, by message, and documents.

import { h } from "./element.js";
import { lengthOf, slice, TextMap } from "./offsets.js";

export class Texts {
  /**
   * @param {HTMLElement} element  the task; its texts are the elements with data-text
   * @param {Object} given         their sources: responses[].texts and documents
   */
  constructor(element, given) {
    this.given = given;
    this.all = new Map();
    for (const root of element.querySelectorAll("[data-text]")) {
      const name = root.dataset.text;
      this.all.set(name, { name, root, map: new TextMap(root, this.source(name)), rendered: null });
    }
  }

  source(name) {
    const [first, second] = name.split(".");
    if (first === "document") return this.given.documents[Number(second)];
    return this.given.responses[Number(first)]?.texts[Number(second)] ?? "";
  }

  /** The map of one text; null when it is not on the page. */
  of(response, message = 0) {
    return this.all.get(`${response}.${message}`)?.map ?? null;
  }

  named(name) {
    return this.all.get(name)?.map ?? null;
  }

  /** In which text a node is: {name, map, response, message} or {name, map, document}. */
  around(node) {
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const name = element?.closest("[data-text]")?.dataset.text;
    if (!name || !this.all.has(name)) return null;
    const [first, second] = name.split(".");
    const where = first === "document" ? { document: Number(second) } : { response: Number(first), message: Number(second) };
    return { name, map: this.all.get(name).map, ...where };
  }

  /** The place under the mouse: as `around`, with its offset; null outside the texts. */
  under(event) {
    const where = this.around(event.target);
    if (!where) return null;
    const place = document.caretPositionFromPoint?.(event.clientX, event.clientY);
    const range = place ? null : document.caretRangeFromPoint?.(event.clientX, event.clientY);
    const [node, number] = place ? [place.offsetNode, place.offset] : [range?.startContainer, range?.startOffset];
    return node && where.map.root.contains(node) ? { ...where, offset: where.map.offsetAt(node, number) } : null;
  }

  /** What is selected on the page, as {name, start, end, quote, response, message | document}; null without. */
  selected() {
    const selection = getSelection();
    if (!selection.rangeCount || selection.isCollapsed) return null;
    const range = selection.getRangeAt(0);
    const where = this.around(range.startContainer) ?? this.around(range.endContainer);
    const span = where?.map.spanOf(range);
    if (!span || span.start === span.end) return null;
    const found = slice(this.source(where.name), span.start, span.end);
    const quote = found.trim();
    if (!quote) return null;
    const start = span.start + (found.length - found.trimStart().length); // white space is one unit a sign
    return { ...where, start, end: start + lengthOf(quote), quote };
  }

  /** Show the sources as they stand, or rendered again; spans are the same in both. */
  toggle(raw) {
    for (const text of this.all.values()) {
      if (raw && !text.rendered) {
        text.rendered = [...text.root.childNodes];
        const lines = this.source(text.name);
        text.root.replaceChildren(h("pre.raw", { tabindex: 0 }, h("span", { "data-o": 0 }, lines)));
      } else if (!raw && text.rendered) {
        text.root.replaceChildren(...text.rendered);
        text.rendered = null;
      }
      text.map = new TextMap(text.root, this.source(text.name));
    }
  }
}
