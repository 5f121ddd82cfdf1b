// Where shown text stands in its source. Elements with `data-o` show the source from that code point on, to the
// letter; with `data-l` beside it, one thing (a formula, an entity) that stands for so many code points: an atom.
// `curation/sourcemap.py` writes them.
//
// Everything goes by way of one string, `flat`: the shown text, each atom as one sign, a line end where the page has
// one. Places in it (UTF-16) are what ranges and the segmenter speak of; each piece knows its place there and its
// code points in the source.

const BLOCKS = new Set(
  "address blockquote dd details div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre section table tbody td th thead tr ul".split(" "),
);
const SURROGATES = /[\ud800-\udfff]/;
const HARMLESS = /^[ -~]{2}$/; // two signs that never belong together
const ATOM = "\ufffc";
const segmenters = {};

/** How many code points a text has. */
export function lengthOf(text) {
  return points(text, text.length);
}

/** What stands in a text from one code point to another. */
export function slice(text, start, end) {
  const from = units(text, start);
  return text.slice(from, end < start ? from : from + units(text.slice(from), end - start));
}

/** How many code points the first `most` units of a text are. */
function points(text, most) {
  if (!SURROGATES.test(text)) return most;
  let count = 0;
  for (let at = 0; at < most; count++) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return count;
}

/** How many units the first `count` code points of a text are. */
function units(text, count) {
  if (!SURROGATES.test(text)) return Math.min(count, text.length);
  let at = 0;
  for (; count > 0 && at < text.length; count--) at += text.codePointAt(at) > 0xffff ? 2 : 1;
  return at;
}

function segmenter(granularity) {
  segmenters[granularity] ??= new Intl.Segmenter(document.documentElement.lang || undefined, { granularity });
  return segmenters[granularity];
}

/** The number of entries at the beginning of a list for which something holds that holds for no later one. */
function count(list, holds) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(list[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The pieces of one rendered text; made anew when what the root holds is replaced. */
export class TextMap {
  /**
   * @param {Element} root   holds one rendered text
   * @param {string} source  the text itself, where it is at hand
   */
  constructor(root, source = null) {
    this.root = root;
    this.source = source;
    this.segments = {};
  }

  /** {node, start, end} in code points and {flat, until} in `flat`, in the order of the page and of the source. */
  get pieces() {
    if (!this.found) this.build();
    return this.found;
  }

  get flat() {
    if (!this.found) this.build();
    return this.joined;
  }

  build() {
    this.found = [];
    this.byNode = new Map();
    this.parts = [];
    this.size = 0;
    this.apart = false;
    this.walk(this.root, null);
    this.joined = this.parts.join("");
    this.parts = null;
  }

  walk(parent, running) {
    for (let node = parent.firstChild; node; node = node.nextSibling) {
      if (node.nodeType === Node.TEXT_NODE) {
        if (running && node.data) running.at = this.add(node, node.data, running.at, lengthOf(node.data));
      } else if (node.nodeType === Node.ELEMENT_NODE) {
        const { o, l } = node.dataset ?? {};
        const block = node.localName === "br" || BLOCKS.has(node.localName);
        this.apart ||= block;
        if (l) this.add(node, node.textContent.length === 1 ? node.textContent : ATOM, Number(o), Number(l), true);
        else this.walk(node, o ? { at: Number(o) } : running);
        this.apart ||= block;
      }
    }
  }

  /** One more piece; returns where it ends. */
  add(node, text, start, length, atom = false) {
    if (this.apart && this.size && !this.parts.at(-1).endsWith("\n")) {
      this.parts.push("\n");
      this.size++;
    }
    this.apart = false;
    const piece = { node, atom, start, end: start + length, flat: this.size, until: this.size + text.length };
    this.byNode.set(node, this.found.length);
    this.found.push(piece);
    this.parts.push(text);
    this.size = piece.until;
    return piece.end;
  }

  /** The first code point that is shown, and the one after the last. */
  get first() {
    return this.pieces[0]?.start ?? 0;
  }

  get last() {
    return this.pieces.at(-1)?.end ?? 0;
  }

  /** Code points of the source; as far as they are shown where the source is not at hand. */
  get length() {
    return this.source === null ? this.last : lengthOf(this.source);
  }

  /** What a range covers, as {start, end}; null when it covers nothing that is shown here. */
  spanOf(range) {
    if (!this.pieces.length || !range.intersectsNode(this.root)) return null;
    if (range.collapsed) {
      if (!this.root.contains(range.startContainer)) return null;
      const at = this.offsetAt(range.startContainer, range.startOffset);
      return { start: at, end: at };
    }
    const from = this.root.contains(range.startContainer) ? this.flatAt(range.startContainer, range.startOffset, 1) : 0;
    const to = this.root.contains(range.endContainer)
      ? this.flatAt(range.endContainer, range.endOffset, -1)
      : this.flat.length;
    return this.covered(from, to);
  }

  /** The span between two offsets in any order: whole characters, and nothing of the source that is not shown. */
  between(one, other) {
    const [start, end] = one < other ? [one, other] : [other, one];
    if (start === end) return { start, end };
    return this.covered(this.flatOf(start, 1), this.flatOf(end, -1)) ?? { start, end: start };
  }

  covered(from, to) {
    const start = this.offsetOf(this.edge(from, -1), 1);
    const end = this.offsetOf(this.edge(to, 1), -1);
    return start < end ? { start, end } : null;
  }

  /** A place in `flat` moved out of the character that it would split. */
  edge(at, direction) {
    if (at <= 0 || at >= this.flat.length || HARMLESS.test(this.flat.slice(at - 1, at + 1))) return at;
    const { index, segment } = this.segmentsOf("grapheme").containing(at);
    return index === at || direction < 0 ? index : index + segment.length;
  }

  segmentsOf(granularity) {
    this.segments[granularity] ??= segmenter(granularity).segment(this.flat);
    return this.segments[granularity];
  }

  /** Where a place on the page is in `flat`; between pieces, the next piece's beginning or (-1) the last one's end. */
  flatAt(node, offset, direction) {
    const known = this.byNode.get(node);
    if (known !== undefined && !this.pieces[known].atom) return this.pieces[known].flat + offset;
    const atom = this.atomAround(node);
    if (atom) {
      const covered = document.createRange();
      covered.selectNodeContents(atom.node);
      if (direction > 0) covered.setStart(node, offset);
      else covered.setEnd(node, offset);
      return (direction > 0) === (covered.toString() !== "") ? atom.flat : atom.until;
    }
    const next = this.after(node, offset);
    if (direction > 0) return this.pieces[next]?.flat ?? this.flat.length;
    return this.pieces[next - 1]?.until ?? 0;
  }

  atomAround(node) {
    const element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const number = this.byNode.get(element?.closest("[data-l]"));
    return number === undefined ? null : this.pieces[number];
  }

  /** The number of the first piece that begins after a place on the page. */
  after(node, offset) {
    const child = node.childNodes?.[offset];
    const within = Node.DOCUMENT_POSITION_CONTAINED_BY;
    return count(this.pieces, (piece) => {
      if (child && piece.node === child) return false;
      const position = (child ?? node).compareDocumentPosition(piece.node);
      if (position & within) return !child;
      return !(position & Node.DOCUMENT_POSITION_FOLLOWING);
    });
  }

  /** The code point at a place in `flat`, as a beginning (1) or as an end (-1). */
  offsetOf(at, direction) {
    const { pieces } = this;
    const number = direction > 0 ? count(pieces, (p) => p.until <= at) : count(pieces, (p) => p.flat < at) - 1;
    const piece = pieces[number];
    if (!piece) return direction > 0 ? this.last : this.first;
    if (at <= piece.flat) return piece.start;
    if (at >= piece.until) return piece.end;
    return piece.start + points(piece.node.data, at - piece.flat);
  }

  /** Where a code point is in `flat`; what is not shown is at the next piece's beginning or (-1) the last one's end. */
  flatOf(offset, direction) {
    const { pieces } = this;
    const number = direction > 0 ? count(pieces, (p) => p.end <= offset) : count(pieces, (p) => p.start < offset) - 1;
    const piece = pieces[number];
    if (!piece) return direction > 0 ? this.flat.length : 0;
    if (offset <= piece.start) return piece.flat;
    if (offset >= piece.end) return piece.until;
    if (piece.atom) return direction > 0 ? piece.flat : piece.until;
    return piece.flat + units(piece.node.data, offset - piece.start);
  }

  /** Ranges to draw a span with: one a piece, around the whole of an atom; a collapsed one where nothing is covered. */
  rangesOf(start, end) {
    const ranges = [];
    for (let number = count(this.pieces, (p) => p.end <= start); start < end; number++) {
      const piece = this.pieces[number];
      if (!piece || piece.start >= end) break;
      const range = document.createRange();
      if (piece.atom) range.selectNode(piece.node);
      else {
        range.setStart(piece.node, units(piece.node.data, Math.max(start - piece.start, 0)));
        range.setEnd(piece.node, units(piece.node.data, Math.min(end, piece.end) - piece.start));
      }
      ranges.push(range);
    }
    return ranges.length || !this.pieces.length ? ranges : [this.collapsedAt(start)];
  }

  collapsedAt(offset) {
    const { node, offset: at } = this.pointAt(offset);
    const range = document.createRange();
    range.setStart(node, at);
    return range;
  }

  /** The piece in which a caret at a code point stands; of what is not shown, the next one. */
  pieceAt(offset) {
    const number = count(this.pieces, (p) => p.end <= offset);
    const [before, piece] = [this.pieces[number - 1], this.pieces[number]];
    return !piece || (before?.end === offset && piece.start !== offset) ? before : piece;
  }

  /** The place on the page of a code point. */
  pointAt(offset) {
    const piece = this.pieceAt(offset);
    if (!piece) return { node: this.root, offset: 0 };
    if (!piece.atom) return { node: piece.node, offset: units(piece.node.data, Math.max(offset - piece.start, 0)) };
    const { parentNode: node } = piece.node;
    return { node, offset: [...node.childNodes].indexOf(piece.node) + (offset >= piece.end ? 1 : 0) };
  }

  /** The code point at a place on the page; between pieces, the end of the last one, or the next one's in its block. */
  offsetAt(node, offset) {
    const known = this.byNode.get(node);
    if (known !== undefined && !this.pieces[known].atom) {
      const { flat, until } = this.pieces[known];
      const at = this.edge(flat + offset, -1);
      return this.offsetOf(at, at < until ? 1 : -1);
    }
    const next = !this.atomAround(node) && this.pieces[this.after(node, offset)];
    const direction = next && node.contains(next.node) ? 1 : -1;
    return this.offsetOf(this.flatAt(node, offset, direction), direction);
  }

  /** What stands in the source; as it is shown where the source is not at hand. */
  text(start, end) {
    if (this.source !== null) return slice(this.source, start, end);
    return this.flat.slice(this.flatOf(start, 1), this.flatOf(end, -1));
  }

  /**
   * The offset one 'character', 'word' or 'sentence' on (direction 1) or back (-1). On, it is where a word or
   * sentence ends; back, where it begins.
   */
  next(offset, unit, direction) {
    const piece = this.pieceAt(offset);
    if (!piece) return offset;
    let at = offset >= piece.end ? piece.until : this.flatOf(Math.max(offset, piece.start), 1);
    let found = offset;
    while (found === offset && at !== (direction > 0 ? this.flat.length : 0)) {
      at = this.step(at, unit, direction);
      found = this.caretOf(at, direction);
    }
    return found;
  }

  /** The code point of a caret in `flat`; where two pieces meet, the end of the one if it came from there. */
  caretOf(at, direction) {
    const [end, start] = [this.offsetOf(at, -1), this.offsetOf(at, 1)];
    const ends = count(this.pieces, (p) => p.flat < at) - 1;
    if (this.pieces[ends]?.until < at) return start;
    if (direction > 0 || this.pieces[ends + 1]?.flat !== at) return end;
    return start;
  }

  step(at, unit, direction) {
    const segments = this.segmentsOf(unit === "character" ? "grapheme" : unit);
    for (let place = direction > 0 ? at : at - 1; place >= 0 && place < this.flat.length; ) {
      const { index, segment, isWordLike } = segments.containing(place);
      const end = index + (unit === "sentence" ? segment.trimEnd().length : segment.length);
      const counts = unit === "character" || (unit === "word" ? isWordLike || segment === ATOM : segment.trim());
      const edge = direction > 0 ? end : index;
      if (counts && (edge - at) * direction > 0) return edge;
      place = direction > 0 ? index + segment.length : index - 1;
    }
    return direction > 0 ? this.flat.length : 0;
  }
}
