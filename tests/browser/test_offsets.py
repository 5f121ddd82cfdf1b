"""What is selected on the page is the span of the source that it shows, whatever the source."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page

from curation.rendering import markdown, raw
from tests.test_sourcemap import written

SCRIPT = settings.BASE_DIR / "static/js/annotate/offsets.js"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><main id="root"></main><script type="module">
import * as offsets from "/offsets.js"; Object.assign(window, offsets, { root: document.getElementById("root") });
</script></html>"""

CHECKING = r"""
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const SIMPLE = /^[ -~é漢字א-ת]$/u;

/** Every sign that is shown, read off the page one by one, with its code points and its range. */
function signsOf(root) {
  const signs = [];
  for (const element of root.querySelectorAll("[data-o]")) {
    const { o, l } = element.dataset;
    let at = Number(o);
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    if (l) signs.push({ at, end: at + Number(l), ...shown(nodes[0], 0, nodes.at(-1), nodes.at(-1).length) });
    for (const node of l ? [] : nodes) {
      let unit = 0;
      for (const sign of node.data) {
        signs.push({ at, end: ++at, letter: true, ...shown(node, unit, node, (unit += sign.length)) });
      }
    }
  }
  return signs;
}

function shown(from, start, to, end) {
  const range = document.createRange();
  range.setStart(from, start);
  range.setEnd(to, end);
  return { range, text: range.toString() };
}

/** Whether a range covers a part of another. */
function covers(range, other) {
  const [before, after] = [Range.START_TO_END, Range.END_TO_START];
  return range.compareBoundaryPoints(before, other) > 0 && range.compareBoundaryPoints(after, other) < 0;
}

const textOf = (signs) => signs.map((sign) => sign.text).join("");

function nodesOf(root, kind) {
  const walker = document.createTreeWalker(root, kind);
  const nodes = [root];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  return nodes;
}

/** Two random places on the page, often in one node, mostly in its text. */
function placesIn([texts, nodes], random) {
  const kind = random() < 0.8 ? texts : nodes;
  const one = kind[Math.floor(random() * kind.length)];
  const other = random() < 0.5 ? one : kind[Math.floor(random() * kind.length)];
  return [one, other].flatMap((node) => [node, Math.floor(random() * ((node.data ?? node.childNodes).length + 1))]);
}

/** A sequence of random numbers (Mulberry32). */
function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function fail(what, ...values) {
  throw new Error(`${what}: ${JSON.stringify(values)}`);
}

function checkRange(map, source, signs, range, seen) {
  const span = map.spanOf(range);
  const covered = signs.filter((sign) => covers(range, sign.range));
  if (range.collapsed) return span?.start === span?.end || fail("not collapsed", span);
  if (!covered.length) return span && fail("covers nothing", span);
  const [first, last] = [covered[0], covered.at(-1)];
  if (!span || span.start > first.at || span.end < last.end) fail("too short", span, first, last);
  if (span.start < first.at - 12 || span.end > last.end + 12) fail("too long", span, first, last);
  const around = [signs[signs.indexOf(first) - 1], first, last, signs[signs.indexOf(last) + 1]];
  if (around.every((sign) => !sign || (sign.letter && SIMPLE.test(sign.text)))) {
    if (span.start !== first.at || span.end !== last.end) fail("not exact", span, first, last);
    if (covered.every((sign, n) => sign.letter && (!n || covered[n - 1].end === sign.at))) {
      if (slice(source, span.start, span.end) !== textOf(covered)) fail("other text", span, textOf(covered));
      if (range.toString().trim() === textOf(covered).trim()) seen.exact++;
    }
  }
  checkEdges(map, span);
  checkDrawn(map, signs, span);
  seen.all++;
}

/** No end of a span splits a character. */
function checkEdges(map, span) {
  for (const at of [span.start, span.end]) {
    const { node, offset } = map.pointAt(at);
    const inside = node.nodeType === Node.TEXT_NODE && offset < node.length;
    if (inside && graphemes.segment(node.data).containing(offset).index !== offset) fail("splits", at, node.data);
  }
}

function checkDrawn(map, signs, span) {
  const ranges = map.rangesOf(span.start, span.end);
  const drawn = ranges.map(String).join("");
  const wanted = textOf(signs.filter((sign) => sign.at < span.end && sign.end > span.start));
  if (drawn !== wanted) fail("drawn", drawn, wanted);
  const again = document.createRange();
  again.setStart(ranges[0].startContainer, ranges[0].startOffset);
  again.setEnd(ranges.at(-1).endContainer, ranges.at(-1).endOffset);
  const back = map.spanOf(again);
  if (back?.start !== span.start || back.end !== span.end) fail("not back", span, back);
  const tidy = map.between(span.end, span.start);
  if (tidy.start !== span.start || tidy.end !== span.end) fail("not tidy", span, tidy);
}

function checkCaret(map, signs) {
  const ends = new Set(signs.flatMap((s) => [s.at, s.end]));
  for (const unit of ["character", "word", "sentence"]) {
    for (const [direction, from, to] of [[1, map.first, map.last], [-1, map.last, map.first]]) {
      let at = from;
      for (let steps = 0; at !== to; steps++) {
        const next = map.next(at, unit, direction);
        if ((next - at) * direction <= 0 || !ends.has(next)) fail("caret", unit, direction, at, next);
        const { node, offset } = map.pointAt(next);
        const back = map.offsetAt(node, offset);
        if (back !== next && !touchesNext(signs, back, next)) fail("not back at", unit, next, back);
        at = next;
      }
    }
  }
}

/** Whether nothing is shown from one offset to another. */
function touchesNext(signs, one, other) {
  return !signs.some((s) => s.at < Math.max(one, other) && s.end > Math.min(one, other));
}

function checkAll(cases) {
  const seen = { exact: 0, all: 0 };
  const selection = getSelection();
  for (const [seed, source, html] of cases) {
    root.innerHTML = html;
    const random = randomFrom(seed);
    const map = new TextMap(root, source);
    const signs = signsOf(root);
    const nodes = [nodesOf(root, NodeFilter.SHOW_TEXT), nodesOf(root, NodeFilter.SHOW_ALL)];
    try {
      for (let n = 0; n < 25; n++) {
        selection.setBaseAndExtent(...placesIn(nodes, random));
        checkRange(map, source, signs, selection.getRangeAt(0), seen);
      }
      if (signs.length) checkCaret(map, signs);
    } catch (error) {
      throw new Error(`${error.message} ${error.stack} in ${JSON.stringify(source)} as ${html}`);
    }
  }
  return seen;
}
"""


@pytest.fixture
def bench(chromium: Browser) -> Iterator[Page]:
    """A page with the module's names as its own, and nothing else."""
    page = chromium.new_page()
    script = SCRIPT.read_text()
    page.route("**/*", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    page.route("**/offsets.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    page.goto("http://offsets.test/")
    page.wait_for_function("'TextMap' in window")
    page.add_script_tag(content=CHECKING)
    yield page
    page.close()


@pytest.mark.parametrize("view", [markdown, raw])
def test_what_is_selected_is_what_the_source_says_there(bench: Page, view: Any) -> None:
    texts = [(seed, written(Random(seed))) for seed in range(150)]
    seen = bench.evaluate("cases => checkAll(cases)", [(seed, text, view(text)) for seed, text in texts])
    assert seen["all"] > 2500 and seen["exact"] > 400, seen


def span(page: Page, text: str, selected: str) -> Any:
    """The span of what a script selects on a page that shows `text`."""
    script = """([source, html, script]) => {
      root.innerHTML = html;
      const map = new TextMap(root, source);
      const range = document.createRange();
      const piece = (n) => root.querySelectorAll("[data-o]")[n];
      new Function("range", "piece", "root", script)(range, piece, root);
      const span = map.spanOf(range);
      return span && [span.start, span.end];
    }"""
    return page.evaluate(script, [text, markdown(text), selected])


@pytest.mark.parametrize(
    ("text", "selected", "wanted"),
    [
        ("one **two** three", "range.selectNodeContents(piece(1))", [6, 9]),
        ("one **two** three", "range.setStart(piece(0).firstChild, 4); range.setEnd(piece(2).firstChild, 0)", [6, 9]),
        ("👍 a", "range.setStart(piece(0).firstChild, 1); range.setEnd(piece(0).firstChild, 4)", [0, 3]),
        ("xe\u0301y", "range.setStart(piece(0).firstChild, 2); range.setEnd(piece(0).firstChild, 4)", [1, 4]),
        ("👩\u200d👧!", "range.setStart(piece(0).firstChild, 0); range.setEnd(piece(0).firstChild, 2)", [0, 3]),
        (
            "a $x+y$ b",
            "range.setStart(root.querySelector('mi').firstChild, 0); range.setEnd(piece(2).firstChild, 2)",
            [2, 9],
        ),
        ("a $x+y$ b", "range.setStart(piece(0).firstChild, 1); range.setEnd(root.querySelector('mo'), 0)", [1, 7]),
        ("a $x+y$ b", "range.setStart(piece(0).firstChild, 1); range.setEnd(piece(1), 0)", [1, 2]),
        ("a\n\nb", "range.setStart(root.firstChild, 0); range.setEnd(root.lastElementChild, 0)", [0, 1]),
        ("a\n\nb", "range.setStart(piece(0).firstChild, 1); range.setEnd(piece(1).firstChild, 0)", None),
        ("a\n\nb", "range.setStart(root.lastElementChild, 0); range.collapse(true)", [3, 3]),
        ("a\n\nb", "range.selectNode(root.parentNode)", [0, 4]),
        ("a &amp; b", "range.selectNodeContents(piece(1))", [2, 7]),
        ("ab", "range.setStart(piece(0).firstChild, 1); range.collapse(true)", [1, 1]),
        ("", "range.selectNodeContents(root)", None),
    ],
)
def test_what_a_range_covers(bench: Page, text: str, selected: str, wanted: list[int] | None) -> None:
    assert span(bench, text, selected) == wanted


WALKED = "One **two**, three. Four $x$ five!\n\n> Six"


@pytest.mark.parametrize(
    ("text", "unit", "direction", "places"),
    [
        ("a\n\n**b**c&amp;👍", "character", 1, [1, 5, 6, 9, 14, 15]),
        ("a\n\n**b**c&amp;👍", "character", -1, [14, 9, 8, 5, 1, 0]),
        (WALKED, "word", 1, [3, 9, 18, 24, 28, 33, 41]),
        (WALKED, "word", -1, [38, 29, 25, 20, 13, 6, 0]),
        (WALKED, "sentence", 1, [19, 34, 41]),
        (WALKED, "sentence", -1, [38, 20, 0]),
    ],
)
def test_a_caret_walks(bench: Page, text: str, unit: str, direction: int, places: list[int]) -> None:
    walk = """([source, html, unit, direction]) => {
      root.innerHTML = html;
      const map = new TextMap(root, source);
      const found = [];
      let at = direction > 0 ? map.first : map.last;
      for (let next; (next = map.next(at, unit, direction)) !== at; at = next) found.push(next);
      return found;
    }"""
    assert bench.evaluate(walk, [text, markdown(text), unit, direction]) == places


def test_a_long_text_is_mapped_and_walked(bench: Page) -> None:
    text = "\n\n".join("Some *words* and `code` 👍 é, again and again, of a long answer." * 5 for _ in range(400))
    assert len(text.split()) > 20_000
    script = """([source, html]) => {
      root.innerHTML = html;
      const map = new TextMap(root, source);
      const range = document.createRange();
      range.setStart(root.children[7], 0);
      range.setEnd(root.children[390], 3);
      const { start, end } = map.spanOf(range);
      map.rangesOf(start, start + 500);
      return [start, end, map.next(end, "word", 1) > end];
    }"""
    start, end, walked = bench.evaluate(script, [text, markdown(text)])
    block = len(text.split("\n\n")[0]) + 2
    assert start == 7 * block
    assert 390 * block <= end < 391 * block
    assert walked
