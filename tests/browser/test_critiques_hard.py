"""Critiques under reloads, broken networks, lost leases, second devices and long texts: nothing lost or doubled."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from curation.models import Assignment, Critique, Draft, Progress, Task
from curation.services import assigning
from tests.browser.critic import (
    ASKED,
    QUOTES,
    SHOWN,
    SKY,
    ask,
    by_model,
    cards,
    critiques_of,
    focus,
    in_hand,
    in_place,
    keys,
    of_people,
    ready,
    reviewing,
    row,
    said,
    sent,
    sit_down,
    state,
    submit,
    write,
)
from tests.browser.desk import SETTLED, task_of
from tests.cast import Cast

SUBMIT, DRAFT = "**/api/v1/**/submit", "**/draft/"
CORRECT = {"name": "correct", "question": "Is it right?", "comment": "optional"}


def begun(sign_in: Any, crew: Cast, count: int = 1) -> Page:
    """A review under way: three suggestions decided, one of them with words, and a span of one's own."""
    reviewing(crew, count, questions=[CORRECT])
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1", "n", "a", "x")
    write(page, " Indeed, and 👩‍👩‍👧.")
    keys(page, "Escape", "c", "Home", "Shift+Control+ArrowRight", "2", "-", "Shift+Digit1")
    return page


def wait_for_rest(page: Page) -> None:
    expect(page.locator("[data-rest]")).to_be_visible()


# --- Drafts -------------------------------------------------------------------------------------------


def test_a_reload_in_the_middle_loses_nothing(sign_in: Any, crew: Cast) -> None:
    page = begun(sign_in, crew)
    before, shown = state(page), cards(page)
    page.route(DRAFT, lambda route: route.abort())
    page.reload()
    ready(page)
    assert state(page) == before and cards(page) == shown
    keys(page, "Shift+A")
    submit(page)
    [made] = of_people()
    assert len(critiques_of(made)) == 11 and made.verdicts.get().answer is True
    in_place(critiques_of(made))


def test_another_device_goes_on_where_this_one_was(sign_in: Any, crew: Cast) -> None:
    page = begun(sign_in, crew)
    with page.expect_response(DRAFT):
        pass
    shown = cards(page)
    other = sit_down(sign_in(crew.ann), crew)
    assert task_of(other) == task_of(page) and cards(other) == shown
    keys(other, "Shift+A")
    submit(other)
    assert len(critiques_of(of_people()[0])) == 11 and not Draft.objects.exists()


def test_a_long_draft_reaches_the_server_too(sign_in: Any, crew: Cast) -> None:
    long = by_model(*(said(QUOTES[n % 10], comment=f"{n} " + "words " * 60) for n in range(200)))
    ask(crew, "response", row("sky", SKY, answers=[long]), critiques=ASKED, help=SHOWN)
    page = sit_down(sign_in(crew.ann), crew)
    with page.expect_response(DRAFT) as kept:
        keys(page, "n", "a")
    assert kept.value.status == 204 and len(Draft.objects.get().body["critiques"]) == 200


def test_what_the_server_took_late_does_not_hide_what_came_after(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    held: list[Route] = []
    page.route(DRAFT, lambda route: held.append(route))
    keys(page, "n", "a")
    page.wait_for_timeout(1800)
    keys(page, "x")
    newest = cards(page)
    with page.expect_response(DRAFT):
        held[0].continue_()
    page.reload()
    ready(page)
    assert cards(page) == newest


def test_a_draft_of_what_was_undone_again_is_gone(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "n", "a", "Control+z")
    assert state(page) is None
    with page.expect_response(DRAFT):
        keys(page, "n", "x")
    keys(page, "Control+z")
    page.reload()
    ready(page)
    assert all(card.startswith("open") for card in cards(page))


# --- Networks and leases ------------------------------------------------------------------------------


def test_ten_spans_without_a_network_are_sent_once_when_it_is_back(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    page.context.set_offline(True)
    keys(page, "n", *["a", "x"] * 5)
    page.wait_for_timeout(SETTLED)
    keys(page, "Enter")
    expect(page.locator("#unsent")).to_have_text("1 unsent")
    assert of_people() == []
    page.context.set_offline(False)
    sent(page)
    [made] = of_people()
    assert [one.review for one in critiques_of(made)] == ["accepted", "rejected"] * 5


def test_a_reply_that_never_came_is_not_a_second_answer(sign_in: Any, crew: Cast) -> None:
    page = begun(sign_in, crew)
    lost: list[Route] = []

    def lose_the_first_reply(route: Route) -> None:
        lost.append(route)
        if len(lost) > 1:
            return route.continue_()
        route.fetch()
        route.abort()

    page.route(SUBMIT, lose_the_first_reply)
    submit(page)
    assert len(lost) == 2 and len(of_people()) == 1
    assert Critique.objects.filter(annotation=of_people()[0]).count() == 4
    assert Progress.objects.get(annotator__user=crew.ann).done == 1


def expire() -> None:
    Assignment.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    assert assigning.return_expired() == 1


def test_a_lease_that_ran_out_loses_nothing_while_the_task_is_free(sign_in: Any, crew: Cast) -> None:
    page = begun(sign_in, crew)
    expire()
    submit(page)
    [made] = of_people()
    assert made.counted and made.critiques.count() == 4 and Task.objects.get().state == "complete"


def test_when_others_were_faster_the_answer_is_kept_and_not_counted(sign_in: Any, crew: Cast) -> None:
    page = begun(sign_in, crew)
    expire()
    other = sit_down(sign_in(crew.bob), crew)
    keys(other, "2", "Shift+A")
    submit(other)
    submit(page)
    expect(page.locator("#live")).to_contain_text("your answer is kept but not counted")
    bobs, anns = of_people()
    assert (bobs.counted, anns.counted) == (True, False) and anns.critiques.count() == 4
    assert Progress.objects.get(annotator__user=crew.ann).done == 0


def test_two_tabs_answer_a_task_once(sign_in: Any, crew: Cast) -> None:
    page = begun(sign_in, crew, 2)
    other = page.context.new_page()
    other.goto(page.url)
    ready(other)
    first = task_of(page)
    assert task_of(other) == first and cards(other) == cards(page)
    submit(page)
    expect(other.locator(f"#stage [data-task='{first}']")).to_have_count(0)
    ready(other)
    keys(other, "1", "Shift+A")
    second = submit(other)
    for tab in (page, other):
        wait_for_rest(tab)
    assert {one.task_id for one in of_people()} == {first, second} and len(of_people()) == 2


def test_sixty_critiques_while_the_network_comes_and_goes(sign_in: Any, crew: Cast) -> None:
    random, count = Random(3), 60
    rows = [row(f"n{n}", f"Sentence {n} stands here.", f"Another {n}.") for n in range(count // 2)]
    ask(crew, "response", *rows, critiques={"on": True, "polarities": ["poor", "good"]})
    context = sign_in(crew.ann)
    context.clock.install()
    page = sit_down(context, crew)
    page.route(SUBMIT, lambda route: lossy(route, random))
    for turn in range(count * 4):
        if turn % 7 == 3:
            context.set_offline(turn % 2 == 1)
        if not task_of_any(page):
            if page.locator("[data-rest]").count():
                break
            context.set_offline(False)
            page.clock.fast_forward(6000)
            page.wait_for_timeout(60)
            continue
        page.clock.fast_forward(300)
        keys(page, "w", random.choice("+-"), "e")
        page.keyboard.type(f"On {task_of(page)}")
        keys(page, "Control+Enter")
    context.set_offline(False)
    page.unroute(SUBMIT)
    for _ in range(20):  # a busy server may let one attempt time out, and this clock goes on only when it is told to
        if page.locator("[data-rest]").count():
            break
        page.clock.fast_forward(40_000)
        page.wait_for_timeout(500)
    wait_for_rest(page)
    sent(page)
    assert [one.event for one in of_people()] == ["answer"] * count
    assert set(Critique.objects.values_list("annotation__task", "comment")) == {
        (pk, f"On {pk}") for pk in Task.objects.values_list("pk", flat=True)
    }
    assert Critique.objects.count() == count == Progress.objects.get().done
    assert not Draft.objects.exists()


def lossy(route: Route, random: Random) -> None:
    """Now and then the request or its reply is lost."""
    luck = random.random()
    try:
        if luck < 0.1:
            route.fetch()
        route.abort() if luck < 0.2 else route.continue_()
    except Exception:
        route.abort()


def task_of_any(page: Page) -> bool:
    return bool(
        page.evaluate(
            "document.querySelector('#stage').ariaBusy !== 'true' && !!document.querySelector('#stage [data-task]')"
        )
    )


# --- Undo ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reload", [False, True])
def test_an_undo_brings_the_whole_answer_back_for_editing(sign_in: Any, crew: Cast, reload: bool) -> None:
    page = begun(sign_in, crew)
    keys(page, "Escape", "n")
    page.get_by_role("textbox", name="Why? (optional)").fill("As I said.")
    keys(page, "Escape")
    shown = [card.split(":", 1) for card in cards(page)]
    submit(page)
    if reload:
        page.reload()
    wait_for_rest(page)
    keys(page, "u")
    ready(page)
    assert [card.split(":", 1) for card in cards(page)] == shown
    expect(page.locator(".question [aria-pressed=true]")).to_have_text(["Yes"])
    expect(page.get_by_role("textbox", name="Why? (optional)")).to_have_value("As I said.")
    keys(page, "Shift+A")
    submit(page)
    first, undo, second = of_people()
    assert (first.event, undo.event, second.event) == ("answer", "undo", "answer") and undo.supersedes == first
    assert len(critiques_of(second)) == 11 and second.verdicts.get().comment == "As I said."
    in_place(critiques_of(second))
    kept = {c.derived_from_id: (c.review, c.comment, c.edit_distance) for c in critiques_of(first) if c.derived_from_id}
    again = {c.derived_from_id: (c.review, c.comment, c.edit_distance) for c in critiques_of(second)}
    assert kept.items() <= again.items()


def test_a_suggestion_that_was_moved_and_then_rejected_is_rejected_as_it_was(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "n", "{", "{", "2", "x", "Shift+A")
    submit(page)
    found = critiques_of(of_people()[0])
    in_place(found)
    assert (found[0].review, found[0].quote, found[0].type) == ("rejected", QUOTES[0], "factual")


# --- Long texts, and what comes over the wire -----------------------------------------------------------

TIMES = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const options = { bubbles: true, cancelable: true };
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, ...options }));
  const timed = async (times, act) => {
    const spent = [];
    for (let n = 0; n < times; n++) {
      const began = performance.now();
      act(n);
      await frame();
      spent.push(performance.now() - began);
    }
    return Math.round(spent.sort((a, b) => a - b)[Math.floor(times / 2)]);
  };
  const found = {};
  found.next = await timed(11, () => press('n'));
  found.nudge = await timed(7, () => press(']'));
  found.accept = await timed(7, () => press('a'));
  press('e');
  const field = document.activeElement;
  found.typing = await timed(11, () => {
    field.value += 'x';
    field.dispatchEvent(new InputEvent('input', { bubbles: true }));
  });
  field.blur();
  press('Escape');
  const text = document.querySelector('[data-text] p:nth-of-type(200)').firstElementChild.firstChild;
  found.selecting = await timed(7, (n) => getSelection().setBaseAndExtent(text, n, text, n + 10));
  getSelection().removeAllRanges();
  press('c');
  found.caret = await timed(11, () => press('ArrowRight'));
  press('Escape');
  return found;
}"""


def test_twenty_thousand_words_with_two_hundred_critiques_stay_swift(sign_in: Any, crew: Cast) -> None:
    paragraph = "Some *words* and `code` 👍 é, again and again, of a long answer that goes on and on for you. "
    text = "\n\n".join(f"Paragraph {n}: {paragraph * 5}" for n in range(220))
    assert len(text.split()) > 20_000
    quotes = (said(f"Paragraph {n}: Some *words* and", text, comment=f"Of {n}") for n in range(200))
    ask(crew, "response", row("long", text, answers=[by_model(*quotes)]), critiques=ASKED, help=SHOWN)
    page = sit_down(sign_in(crew.ann), crew)
    spent = page.evaluate(TIMES)
    print("median ms:", spent)
    assert max(spent.values()) < 1500, spent
    assert in_hand(page) or focus(page) == "body"
    keys(page, "Shift+A")
    submit(page)
    assert of_people()[0].critiques.count() == 200


def test_the_page_is_light(sign_in: Any, crew: Cast) -> None:
    reviewing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    weigh = """async () => {
      const gzip = async (body) => {
        const packed = new Blob([body]).stream().pipeThrough(new CompressionStream('gzip'));
        return (await new Response(packed).arrayBuffer()).byteLength;
      };
      const urls = [location.href, ...performance.getEntriesByType('resource').map((one) => one.name)];
      const found = {};
      for (const url of new Set(urls)) {
        if (!/annotate\\/$|\\.css|\\.js/.test(url)) continue;
        const body = await (await fetch(url)).arrayBuffer();
        const kind = url.match(/css|js$/)?.[0] ?? 'html';
        const [raw, packed] = found[kind] ?? [0, 0];
        found[kind] = [raw + body.byteLength, packed + (await gzip(body))];
      }
      return found;
    }"""
    found = page.evaluate(weigh)
    raw, packed = (sum(sizes[n] for sizes in found.values()) for n in (0, 1))
    print("bytes, as they are and packed:", found, raw, packed)
    assert {"html", "css", "js"} <= set(found) and packed <= 250_000, found
