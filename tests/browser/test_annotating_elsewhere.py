"""The annotation screen in second tabs, under other names, in other browsers, with awkward texts, on a phone."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from curation.models import Annotation, Item, Response
from curation.services import people, projects
from tests.browser.desk import SETTLED, decide, moves_on_from, press, task_of, wait_until_sent
from tests.browser.test_annotating_hard import API, events, nothing_refused, opened
from tests.cast import Cast, make_pairs

PHONE = {"width": 390, "height": 844}

# --- Second tabs and other people ---------------------------------------------------------------------


def test_what_a_closed_tab_had_not_sent_the_other_tab_sends(desk: Any) -> None:
    page = desk(4)
    other = page.context.new_page()
    other.goto(page.url)
    page.route(API, lambda route: route.abort())
    decide(page, "1")
    page.close()
    wait_until_sent(other)
    assert events() == ["answer"]


def test_two_tabs_in_turn_answer_every_task_once(desk: Any) -> None:
    page = desk(4)
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("[data-task]")
    for one, two in [(page, other), (other, page)] * 2:
        decided = decide(one, "1")
        expect(two.locator(f"#stage [data-task='{decided}']")).to_have_count(0)
    for tab in (page, other):
        expect(tab.get_by_role("heading", name="All done")).to_be_visible()
        expect(tab.locator("#progress-text")).to_have_text("4 of 4 for you")
    assert Annotation.objects.values("task").distinct().count() == 4 == Annotation.objects.count()


def test_what_another_tab_decides_while_it_is_fetched_is_not_shown(desk: Any) -> None:
    page = desk(3)
    page.wait_for_timeout(SETTLED)
    other = page.context.new_page()
    held: list[Any] = []

    def hold(route: Any) -> None:
        """The first answer stays on its way."""
        if held:
            return route.continue_()
        held.append((route, route.fetch()))

    other.route("**/annotate/next/", hold)
    other.goto(page.url)
    other.wait_for_selector("[data-task]")
    while not held:
        other.wait_for_timeout(50)
    first = decide(page, "1")  # which the other tab had on its screen
    second = decide(page, "1")  # which is on its way there
    wait_until_sent(page)
    ((route, answer),) = held
    assert f'data-task="{second}"' in answer.text()
    route.fulfill(response=answer)
    moves_on_from(other, first)
    assert task_of(other) == task_of(page) != second


def test_after_signing_in_again_the_kept_decision_goes_by_itself(desk: Any, crew: Cast) -> None:
    page = desk(3)
    page.clock.install()
    page.reload()
    page.wait_for_timeout(SETTLED)
    page.context.clear_cookies(name="sessionid")
    decide(page, "1")
    for _ in range(2):  # until the pauses between attempts have grown to seconds
        with page.expect_response("**/submit"):
            page.clock.fast_forward(3000)
    expect(page.get_by_text("You are signed out")).to_be_visible()
    page.context.new_page().goto(f"/sign-in/{people.make_sign_in_link(user=crew.ann)}/")
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.locator("#unsent")).to_be_hidden(timeout=1500)
    nothing_refused(page)
    assert Annotation.objects.get().annotator.user == crew.ann


def test_a_decision_never_goes_out_under_another_name(desk: Any, crew: Cast) -> None:
    page = desk(3)
    page.wait_for_timeout(SETTLED)
    page.route(API, lambda route: route.abort())
    decide(page, "1")
    page.context.new_page().goto(f"/sign-in/{people.make_sign_in_link(user=crew.bob)}/")
    page.unroute(API)
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(page.get_by_text("Somebody else is signed in here now. 1 decision is kept on this device")).to_be_visible()
    assert not Annotation.objects.exists()


# --- Other browsers -----------------------------------------------------------------------------------


def test_back_in_the_browser_shows_no_task_that_was_answered(desk: Any, crew: Cast) -> None:
    page = desk(5)
    page.goto(f"/projects/{crew.project.slug}/")
    page.goto(f"/projects/{crew.project.slug}/annotate/")
    decided = decide(page, "1")
    wait_until_sent(page)
    page.goto(f"/projects/{crew.project.slug}/")
    page.go_back()
    page.wait_for_selector("[data-task]")
    assert task_of(page) != decided
    expect(page.locator("#progress-text")).to_have_text("1 of 5 for you")


def test_it_works_over_plain_http_on_another_machine(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 2)
    context = sign_in(crew.ann)
    context.add_init_script("delete Crypto.prototype.randomUUID; delete Navigator.prototype.locks")
    page = context.new_page()
    page.goto(f"/projects/{crew.project.slug}/annotate/")
    decide(page, "1")
    decide(page, "2")
    wait_until_sent(page)
    assert events() == ["answer", "answer"]


def test_a_browser_whose_storage_is_full_says_so_and_keeps_the_task(desk: Any) -> None:
    page = desk(3)
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }; }")
    task = press(page, "1")
    expect(page.get_by_text("storage of this browser is full")).to_be_visible()
    assert task_of(page) == task and not Annotation.objects.exists()


# --- Awkward texts and small screens ------------------------------------------------------------------


def test_twenty_thousand_words_are_shown_and_decided(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 2)
    Response.objects.update(text=" ".join(f"word{n}" for n in range(20_000)))
    page = opened(sign_in, crew)
    page.keyboard.press("d")
    expect(page.locator("#said")).to_have_text("These responses are too long to compare.")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    decide(page, "2")
    wait_until_sent(page)
    assert events() == ["answer"]


def test_arabic_reads_from_the_right_and_english_from_the_left(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 1)
    Item.objects.update(prompt=[{"role": "user", "content": "ما عاصمة مصر؟"}])
    Response.objects.update(text="القاهرة هي عاصمة مصر.\n\nCairo is the capital.")
    page = opened(sign_in, crew)
    directions = "els => els.map(e => getComputedStyle(e).direction)"
    assert page.locator(".response--first .prose p").evaluate_all(directions) == ["rtl", "ltr"]
    assert page.locator("#prompt .prose p").evaluate_all(directions) == ["rtl"]


def test_a_long_conversation_opens_at_what_is_to_be_answered(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 1)
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"Turn {n}. " * 40} for n in range(9)]
    Item.objects.update(prompt=[*turns[:-1], {"role": "user", "content": "The last question?"}])
    page = opened(sign_in, crew)
    box = page.locator("#prompt")
    assert box.evaluate("box => box.scrollHeight > box.clientHeight")
    expect(box.get_by_text("The last question?")).to_be_in_viewport()
    box.focus()
    page.keyboard.press("Home")
    expect(box.get_by_text("Turn 0.").first).to_be_in_viewport()


def test_on_a_phone_the_next_task_begins_at_its_top(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 3)
    Response.objects.update(text="\n\n".join(["A paragraph."] * 60))
    page = opened(sign_in, crew)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    task = task_of(page)
    page.wait_for_timeout(SETTLED)
    page.get_by_role("button", name="1 better").click()
    moves_on_from(page, task)
    assert page.evaluate("scrollY") == 0


def test_on_a_phone_nothing_stays_in_front_of_the_text(sign_in: Any, crew: Cast) -> None:
    projects.revise_protocol(project=crew.project, guidelines="Read **both**.")
    make_pairs(crew.project, 1)
    page = opened(sign_in, crew)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    guidelines, button = page.locator("#guidelines"), page.get_by_role("button", name="Guidelines")
    for close in (
        lambda: page.get_by_role("button", name="Close").click(timeout=3000),
        lambda: page.keyboard.press("Escape"),
    ):
        button.click()
        expect(guidelines).to_be_focused()
        close()
        expect(guidelines).to_be_hidden()
        expect(button).to_be_focused()
    page.set_viewport_size({"width": 844, "height": 390})
    for bar in (".deskbar", ".decide"):
        assert page.locator(bar).evaluate("e => getComputedStyle(e).position") == "static"


def test_the_keyboard_keeps_its_place_from_task_to_task(desk: Any) -> None:
    page = desk(3)
    page.get_by_role("region", name="Text of response 2").focus()
    decide(page, "1")
    expect(page.get_by_role("region", name="Text of response 2")).to_be_focused()
