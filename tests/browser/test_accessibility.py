"""Every page by WCAG 2 A and AA: by axe-core, by keyboard alone, without motion, narrow, and without a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from curation.models import PlanPair
from tests.browser.critic import ASKED, QUOTES, SHOWN, SKY, ask, by_model, row, said, sit_down
from tests.browser.house import House, furnish
from tests.cast import Cast
from tests.plans import waiting_plan

AXE = Axe()
EVERY_RULE = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
BY_LOOK = {
    "type": "rule",
    "values": ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"],
}
"""What can be right in one look and wrong in another."""
WIDE, NARROW, NARROWEST = ({"width": width, "height": 844} for width in (1280, 390, 320))

FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
INTERACTIVE = ":is(a[href], button, input, select, textarea, summary, [tabindex='0'])"
HEADER = ".site-header, .site-header *"
OWN = f"{INTERACTIVE}:not(.skip-link, {HEADER})"
"""What is below the header."""
KINDS_IN_HEADER = """(selector) => [...document.querySelectorAll(selector)].map(
  (e) => `${e.localName} ${e.getAttribute('class')} ${e.getAttributeNames()} ${!e.textContent.trim()}`
)"""
WATCH_FOCUS = """({ selector, from }) => {
  document.activeElement?.blur();
  if (from) document.querySelector(from).focus();
  window.reached = new Map();
  const shows = (e) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(e);
    return (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1) || boxShadow !== 'none';
  };
  document.addEventListener('focusin', ({ target }) => {
    const around = target.closest('.card--link, .choice:has(input)');
    const place = [...document.querySelectorAll(selector)].indexOf(target);
    window.reached.set(place, shows(target) || Boolean(around && shows(around)));
  });
}"""
UNREACHED = """(selector) => [...document.querySelectorAll(selector)].map((e, place) => {
  if (!e.checkVisibility({ visibilityProperty: true }) || e.disabled || e.tabIndex < 0) return '';
  if ((e.type === 'radio' && !e.checked) || window.reached.get(place)) return '';
  return (window.reached.has(place) ? 'no visible focus: ' : 'not reached: ') + e.outerHTML.slice(0, 160);
}).filter(Boolean)"""
"""By place among the interactive elements, since pages of runs renew theirs."""
MOVING = """() => [...document.querySelectorAll('*')].filter((e) => {
  const { transitionDuration, animationDuration, animationName } = getComputedStyle(e);
  const animated = animationName === 'none' ? '0s' : animationDuration;
  return Math.max(...`${transitionDuration},${animated}`.split(',').map(parseFloat)) > 0.001;
}).map((e) => e.outerHTML.slice(0, 120))"""
SIDEWAYS = "() => Math.max(0, document.documentElement.scrollWidth - innerWidth)"


@pytest.fixture
def house(crew: Cast, tmp_path: Path) -> House:
    return furnish(crew, tmp_path)


def faults_of(page: Page, home: str) -> list[str]:
    """A list that fills with errors of scripts, of the console and of requests, and with requests to other hosts."""
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda told: told.type in ("error", "warning") and faults.append(f"{told.text} {told.location}"))
    page.on("request", lambda asked: asked.url.startswith((home, "data:")) or faults.append(f"asks {asked.url}"))
    page.on("requestfailed", lambda asked: "ABORTED" in str(asked.failure) or faults.append(f"failed: {asked.url}"))
    return faults


def by_keyboard(page: Page, selector: str = INTERACTIVE, start: str = "") -> list[str]:
    """What is not reached, or not seen to be, while the tab key is held from the start of the document on, or of one
    of its parts."""
    page.evaluate(WATCH_FOCUS, {"selector": selector, "from": start})
    unreached: list[str] = []
    for _ in range(2):  # once more, since dates and what scrolls have several stops
        for _ in range(page.locator(selector).count() + 1):
            page.keyboard.down("Tab")
        page.keyboard.up("Tab")
        if not (unreached := page.evaluate(UNREACHED, selector)):
            break
    page.evaluate(
        "document.activeElement.blur()"
    )  # the link that skips to the content lies over others while it has it
    return unreached


def sideways(page: Page) -> list[str]:
    """By how many pixels the document is wider than the window."""
    beyond = []
    for size in (WIDE, NARROW, NARROWEST):
        page.set_viewport_size(size)
        if over := page.evaluate(SIDEWAYS):
            beyond.append(f"{over} px beyond {size['width']}")
    return beyond


def violations(page: Page, rules: dict[str, Any], *, header: bool = True) -> list[str]:
    """What axe-core finds, once the colours of the look have arrived; in the header as well or not."""
    page.evaluate(FRAMES)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.axe_script)
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    exclude = [] if header else [".site-header"]
    told = page.evaluate(
        "([exclude, options]) => axe.run({ include: document, exclude }, options).then(({ violations }) => violations)",
        [exclude, options],
    )
    return [f"{rule['id']}: {node['html'][:160]}" for rule in told for node in rule["nodes"]]


def in_every_look(page: Page, looks: int = 4, *, header: bool = True) -> list[str]:
    """By every rule in the first look, by those that depend on it in the others."""
    wrong = []
    for size, scheme, rules in [
        (WIDE, "light", EVERY_RULE),
        (NARROW, "dark", BY_LOOK),
        (NARROW, "light", BY_LOOK),
        (WIDE, "dark", BY_LOOK),
    ][:looks]:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        wrong += [f"{size['width']} px, {scheme}: {what}" for what in violations(page, rules, header=header)]
    page.set_viewport_size(WIDE)
    return wrong


def looked_at(page: Page, addresses: dict[str, str], home: str) -> dict[str, list[str]]:
    """What is amiss on each page: faults on the way, unreachable things, motion, too much width, violations of WCAG.
    A header that has no kind of element but those of headers before it is not gone through again.
    """
    faults = faults_of(page, home)
    seen: set[str] = set()
    found = {}
    for name, path in addresses.items():
        page.set_viewport_size(WIDE)
        page.goto(path)
        kinds = set(page.evaluate(KINDS_IN_HEADER, HEADER))
        anew = not kinds or not kinds <= seen
        seen |= kinds
        found[name] = by_keyboard(page) if anew else by_keyboard(page, OWN, "main")
        found[name] += page.evaluate(MOVING) + sideways(page) + in_every_look(page, looks=2, header=anew)
        found[name] += [fault for fault in faults if "404" not in fault or path not in fault]
        faults.clear()
    return {name: amiss for name, amiss in found.items() if amiss}


def test_every_page_of_a_member_is_accessible_narrow_still_and_without_a_fault(
    house: House, crew: Cast, sign_in: Any, live_server: Any
) -> None:
    page = sign_in(crew.olga, reduced_motion="reduce").new_page()
    assert not looked_at(page, house.inside, live_server.url)


def test_every_page_for_strangers_is_accessible_narrow_still_and_without_a_fault(
    house: House, chromium: Browser, live_server: Any
) -> None:
    context = chromium.new_context(base_url=live_server.url, reduced_motion="reduce")
    assert not looked_at(context.new_page(), house.outside, live_server.url)
    context.close()


def test_nothing_that_opens_violates_wcag_in_any_look(house: House, crew: Cast, sign_in: Any) -> None:
    page = sign_in(crew.olga, reduced_motion="reduce").new_page()
    wrong = {}
    page.goto(house.inside["annotate"])
    for name, key, shut in [("skip", "s", "Escape"), ("guidelines", "g", "g"), ("help", "?", "Escape")]:
        page.keyboard.press(key)
        wrong[name] = in_every_look(page)
        page.keyboard.press(shut)
    page.goto(house.inside["tokens"])
    page.get_by_label("Menu of").click()
    wrong["menu"] = in_every_look(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Revoke").click()
    wrong["confirmation"] = in_every_look(page)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_label("Name").fill("Another")
    page.get_by_role("button", name="Make token").click()
    wrong["new token"] = in_every_look(page)
    page.goto(house.inside["settings"])
    page.get_by_label("Answers per task").evaluate("field => { field.form.noValidate = true; field.value = 99; }")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_label("Answers per task")).to_have_attribute("aria-invalid", "true")
    wrong["refused form"] = in_every_look(page)
    assert not {name: what for name, what in wrong.items() if what}


def test_things_move_for_those_who_did_not_ask_for_stillness(house: House, crew: Cast, sign_in: Any) -> None:
    page = sign_in(crew.olga).new_page()
    page.goto(house.inside["queued run"])
    assert page.evaluate(MOVING), "nothing moves for anybody: the tests above could not fail"


def test_the_skip_link_comes_first_and_leads_to_the_content(house: House, crew: Cast, sign_in: Any) -> None:
    page = sign_in(crew.olga).new_page()
    for name in ("project", "annotate", "settings"):
        page.goto(house.inside[name])
        page.keyboard.press("Tab")
        link = page.get_by_role("link", name="Skip to content")
        expect(link).to_be_focused()
        expect(link).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)"), name


# --- Annotation screens of every kind -------------------------------------------------------------------

YES_OR_NO = {"name": "correct", "question": "Is it right?", "comment": "optional", "evidence": "optional"}
HARMS = {"name": "harm", "question": "Which?", "kind": "choices", "options": [{"name": "drugs"}, {"name": "privacy"}]}
DOCUMENTS = {"documents": [{"title": "Guide", "text": "It is **true**.\n\n```python\nx = 1\n```"}]}
KINDS = ["factual", "style", "safety"]
MODEL = by_model(
    *(
        said(quote, type=kind, polarity=good)
        for quote, kind, good in zip(QUOTES, KINDS * 4, [-1, 0, 1] * 4, strict=False)
    ),
    verdicts=[{"question": "correct", "answer": True, "comment": "As told."}],
)
SCREENS: dict[str, tuple[str, tuple[str, ...], dict[str, Any], list[str]]] = {
    "spans": (
        "response",
        (SKY,),
        {"critiques": ASKED, "questions": [YES_OR_NO], "help": SHOWN, "rationale": "optional"},
        ["1", "n", "a", "x", "n", "2", "Escape", "c", "Shift+ArrowDown", "1"],
    ),
    "sentences": ("response", (SKY,), {"unit": "sentence", "questions": [YES_OR_NO | {"scope": "unit"}]}, ["1", "p"]),
    "steps": (
        "response",
        ("Add.\n\nMultiply.\n\nStop.",),
        {
            "unit": "step",
            "critiques": {"on": True},
            "questions": [{"name": "q", "question": "?", "kind": "rating", "scope": "unit", "low": -1, "high": 1}],
        },
        ["1", "t"],
    ),
    "pairs": ("preference", ("One.", "Two."), {"questions": [YES_OR_NO, HARMS], "critiques": ASKED}, ["1", "2", "w"]),
    "planned": ("preference", ("One.", "Two."), {"rationale": "optional", "questions": [YES_OR_NO]}, ["1", "2"]),
    "ranks": ("ranking", ("One.", "Two.", "Three."), {"critiques": ASKED, "rationale": "required"}, ["2", "1"]),
}


UNSTUCK = "@media (max-width: 400px) { .decide, .deskbar { position: static !important; } }"
"""To axe a button that is scrolled behind a bar would be too small."""


@pytest.mark.parametrize("name", SCREENS)
def test_annotation_screens_of_every_kind_are_accessible_and_still(name: str, crew: Cast, sign_in: Any) -> None:
    kind, texts, protocol, pressed = SCREENS[name]
    answers = [MODEL] if name == "spans" else []
    ask(crew, kind, row("one", *texts, context=DOCUMENTS, answers=answers), **protocol)
    if name == "planned":
        waiting_plan(crew.project, crew.olga, "Prefer the one that says where its number is from, and be brief. " * 4)
        PlanPair.objects.update(role=PlanPair.Role.ASKED)
    context = sign_in(crew.ann, reduced_motion="reduce", bypass_csp=True)
    page = sit_down(context, crew)
    expect(page.get_by_role("complementary", name="Guideline for this pair")).to_have_count(int(name == "planned"))
    page.add_style_tag(content=UNSTUCK)
    wrong = {"fresh": by_keyboard(page) + page.evaluate(MOVING) + sideways(page) + in_every_look(page)}
    page.mouse.click(1, 1)
    for key in pressed:
        page.keyboard.press(key)
    assert page.locator(".critique[aria-current], [aria-pressed=true], [aria-checked=true]").count(), (
        "something is said"
    )
    wrong["under way"] = sideways(page) + in_every_look(page)
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    wrong["as written"] = page.evaluate(MOVING) + in_every_look(page, looks=2)
    page.set_viewport_size(NARROW)
    wrong["narrow"] = by_keyboard(page)
    assert not {what: found for what, found in wrong.items() if found}
