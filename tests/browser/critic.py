"""What is asked of critics in these tests, on which texts, and how a test reads the screen on which it is said."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from curation.models import Annotation, Critique
from curation.services import projects
from tests.browser.desk import task_of
from tests.cast import Cast
from tests.test_suggestions import land

TYPES = [{"name": "factual"}, {"name": "style"}, {"name": "safety"}]
SEVERITIES = [{"name": "minor", "weight": 1}, {"name": "major", "weight": 5}]
ASKED = {
    "on": True,
    "types": TYPES,
    "severities": SEVERITIES,
    "polarities": ["poor", "neutral", "good"],
    "edit": True,
    "omission": True,
    "evidence": True,
}
SHOWN = {"mode": "shown", "holdout": 0.0}

SKY = """## Why the sky is blue 🌌

Sunlight is **white**, and contains *all* colours. Molecules scatter it:

- Shorter waves scatter *more* (by $\\lambda^{-4}$).
  - Violet 👩‍👩‍👧 even more, yet we see less of it.
    1. Our eyes are dull there.
- Blue is scattered about `4` times as much as red.

```python
def scatter(wavelength):
    return 1 / wavelength ** 4
```

| Colour | nm |
|---|---|
| Blue | 450 |

The ocean reflects onto the sky, which makes it blue. At sunset the path is longer. Children ask this often."""
"""Headings, emphasis, formulas, nested lists, code, a table, and characters of several code points."""
QUOTES = [
    "the sky is blue 🌌",
    "**white**, and contains *all*",
    "Shorter waves scatter *more* (by $\\lambda^{-4}$)",
    "Violet 👩‍👩‍👧 even more",
    "Our eyes are dull there.",
    "about `4` times",
    "return 1 / wavelength ** 4",
    "450",
    "The ocean reflects onto the sky, which makes it blue.",
    "path is longer",
]
"""Ten places of SKY, in the order of the text."""


def said(quote: str, text: str = SKY, **more: Any) -> dict[str, Any]:
    """A critique of a place of a text."""
    start = text.index(quote)
    plain = {"type": "factual", "severity": "major", "polarity": -1, "comment": f"Of {quote[:9]}"}
    return {"start": start, "end": start + len(quote), "quote": quote, **plain, **more}


def by_model(*critiques: dict[str, Any], response: int = 0, **more: Any) -> dict[str, Any]:
    """An answer as a model gives it with an import."""
    return {
        "annotator": "critic-1",
        "kind": "model",
        "version": "2",
        "score": 0.83,
        "response": response,
        "critiques": list(critiques),
        **more,
    }


def row(name: str, *texts: str, answers: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    return {"id": name, "prompt": f"What of {name}?", "responses": list(texts), "answers": answers or [], **more}


def ask(crew: Cast, kind: str, *rows: dict[str, Any], **protocol: Any) -> None:
    """Make the project one of `kind`, with this protocol and these rows."""
    projects.revise_protocol(project=crew.project, kind=kind, **{"rationale": "off", **protocol})
    land(crew.project, *rows)
    crew.project.refresh_from_db()


def reviewing(crew: Cast, count: int = 1, help: dict[str, Any] = SHOWN, **protocol: Any) -> None:
    """Tasks on SKY, each with ten suggestions."""
    answer = by_model(*(said(quote) for quote in QUOTES))
    rows = [row(f"sky{n}", SKY, answers=[answer]) for n in range(count)]
    ask(crew, "response", *rows, critiques=ASKED, help=help, **protocol)


def sit_down(context: Any, crew: Cast) -> Page:
    """The annotation screen, with its first task."""
    page: Page = context.new_page()
    page.goto(f"/projects/{crew.project.slug}/annotate/")
    ready(page)
    return page


def ready(page: Page) -> None:
    page.wait_for_selector("#stage [data-task]")
    page.wait_for_selector(".margin > *, .rank", state="attached")


def keys(page: Page, *names: str) -> None:
    for name in names:
        page.keyboard.press(name)


def write(page: Page, words: str) -> None:
    """Into the comment of the critique in hand, and out of the field again."""
    page.keyboard.press("e")
    page.keyboard.press("End")
    page.keyboard.type(words)
    page.keyboard.press("Escape")


def submit(page: Page, key: str = "Enter") -> int:
    """Submit the task in hand, once it has settled, and wait until it is sent; which it was."""
    page.wait_for_timeout(300)
    task = task_of(page)
    page.keyboard.press(key)
    expect(page.locator(f"#stage [data-task='{task}']")).to_have_count(0)
    sent(page)
    return task


def sent(page: Page) -> None:
    """Everything that was committed is at the server, and nothing was refused."""
    expect(page.locator("#unsent")).to_be_hidden(timeout=15000)
    expect(page.locator("#banner")).to_be_empty()


def state(page: Page) -> Any:
    """What was said so far, as this browser keeps it; None while nothing was."""
    script = """task => {
      const name = Object.keys(localStorage).find((key) => key.endsWith(`:work:${task}`));
      return name ? JSON.parse(localStorage.getItem(name)).state : null;
    }"""
    return page.evaluate(script, task_of(page))


def cards(page: Page) -> list[str]:
    """The critiques of the margin: what became of a suggestion, and what a screen reader says."""
    script = "all => all.map(e => `${e.dataset.review || 'own'}: ${e.querySelector('.critique__name').ariaLabel}`)"
    found: list[str] = page.locator(".critique").evaluate_all(script)
    return found


def in_hand(page: Page) -> str:
    """The id of the critique in hand."""
    found: str = page.evaluate("document.querySelector('.critique[aria-current]')?.dataset.id ?? ''")
    return found


def focus(page: Page) -> str:
    """Where the keyboard is: a name of the margin, else a tag."""
    found: str = page.evaluate("document.activeElement.dataset.focus ?? document.activeElement.localName")
    return found


def drawn(page: Page, name: str = "mark-current") -> list[int] | None:
    """The span of the source that a highlight covers, or None."""
    script = """async (name) => {
      const loaded = performance.getEntriesByType('resource').map((one) => one.name);
      const { TextMap } = await import(loaded.find((url) => /annotate\\/offsets/.test(url)));
      const ranges = [...(CSS.highlights.get(name) ?? [])];
      if (!ranges.length) return null;
      const root = ranges[0].commonAncestorContainer.parentElement.closest('[data-text]');
      const map = new TextMap(root);
      const spans = ranges.map((range) => map.spanOf(range));
      return [Math.min(...spans.map((s) => s.start)), Math.max(...spans.map((s) => s.end))];
    }"""
    found: list[int] | None = page.evaluate(script, name)
    return found


def box_of(page: Page, words: str, text: str = "0.0") -> dict[str, float]:
    """Where words of one piece of a text are on the page."""
    script = """([words, text]) => {
      const root = document.querySelector(`[data-text='${text}']`);
      const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const at = walker.currentNode.data.indexOf(words);
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(walker.currentNode, at);
        range.setEnd(walker.currentNode, at + words.length);
        range.startContainer.parentElement.scrollIntoView({ block: 'center' });
        const { left, right, top, bottom } = range.getBoundingClientRect();
        return { left, right, y: (top + bottom) / 2 };
      }
    }"""
    found: dict[str, float] = page.evaluate(script, [words, text])
    return found


def drag_over(page: Page, words: str, text: str = "0.0") -> None:
    """Select words with the mouse."""
    box = box_of(page, words, text)
    page.mouse.move(box["left"] + 0.5, box["y"])
    page.mouse.down()
    page.mouse.move(box["right"] - 0.5, box["y"], steps=4)
    page.mouse.up()


def click_on(page: Page, words: str, text: str = "0.0") -> None:
    box = box_of(page, words, text)
    page.mouse.click((box["left"] + box["right"]) / 2, box["y"])


def of_people() -> list[Annotation]:
    """The events of people, in their order."""
    return list(Annotation.objects.filter(annotator__kind="person").order_by("pk"))


def critiques_of(annotation: Annotation) -> list[Critique]:
    return list(annotation.critiques.order_by("start", "end", "pk"))


def in_place(critiques: list[Critique]) -> None:
    """Every quote is what stands at its offsets in the source."""
    for one in critiques:
        assert one.start is None or one.response.text[one.start : one.end] == one.quote, one
