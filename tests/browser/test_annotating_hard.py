"""The annotation screen under slips of the hand, slow and broken networks, and undo at every turn."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, Route, expect

from curation.models import Annotation, Assignment, Preference, Response, Task
from curation.services import projects
from tests.browser.desk import SETTLED, decide, moves_on_from, press, task_of, wait_until_sent
from tests.cast import Cast, make_pairs

API, NEXT = "**/api/v1/**", "**/annotate/next/"


def shows(page: Page, task: int) -> None:
    expect(page.locator(f"#stage [data-task='{task}']")).to_be_visible()


def events() -> list[str]:
    return list(Annotation.objects.order_by("pk").values_list("event", flat=True))


def nothing_refused(page: Page) -> None:
    wait_until_sent(page)
    expect(page.locator("#banner")).to_be_empty()


def opened(sign_in: Any, crew: Cast) -> Page:
    """ann's screen on the project as it is."""
    page: Page = sign_in(crew.ann).new_page()
    page.goto(f"/projects/{crew.project.slug}/annotate/")
    page.wait_for_selector("[data-task]")
    return page


def hold(page: Page, pattern: str) -> list[Route]:
    """Requests to `pattern` get no answer until `release`."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))
    return held


def release(page: Page, pattern: str, held: list[Route]) -> None:
    for route in held:
        route.continue_()
    page.unroute(pattern)


# --- Slips of the hand --------------------------------------------------------------------------------


def test_a_held_key_decides_one_task(desk: Any) -> None:
    page = desk(6)
    for times, key in enumerate(("Enter", "1"), start=1):
        page.locator("[data-choice='-1']").focus()
        page.wait_for_timeout(SETTLED)
        for _ in range(9):
            page.keyboard.down(key)
            page.wait_for_timeout(50)
        page.keyboard.up(key)
        wait_until_sent(page)
        assert Annotation.objects.count() == times, key


def test_keys_of_the_browser_and_of_the_skip_panel_decide_nothing(desk: Any) -> None:
    page = desk(3)
    first = press(page, "Alt+ArrowLeft")
    page.keyboard.press("Alt+1")
    press(page, "s")
    for key in ("ArrowRight", "b", "0", "9", "F2", "Control+1", "?", "2", "Escape"):
        page.keyboard.press(key)
    page.wait_for_timeout(SETTLED)
    assert task_of(page) == first and not Annotation.objects.exists()
    expect(page.get_by_role("button", name="Skip", exact=True).first).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Skip", exact=True).first).to_be_focused()
    decide(page, "2")
    wait_until_sent(page)
    assert events() == ["answer"]


def test_arrows_in_a_wide_block_of_code_scroll_it(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 1)
    Response.objects.update(text=f"```python\n{'x = 1; ' * 200}\n```")
    page = opened(sign_in, crew)
    code = page.locator(".response--first pre")
    code.focus()
    press(page, "ArrowRight")
    page.wait_for_timeout(SETTLED)
    assert code.evaluate("e => e.scrollLeft") > 0 and not Annotation.objects.exists()


# --- Slow and broken networks -------------------------------------------------------------------------


def test_the_next_two_tasks_are_always_there(desk: Any) -> None:
    page = desk(7)
    for _ in range(3):
        decide(page, "1")
    wait_until_sent(page)
    page.wait_for_timeout(SETTLED)
    page.context.set_offline(True)
    shown = {task_of(page)}
    for _ in range(2):
        decide(page, "2")
        shown.add(task_of(page))
    assert len(shown) == 3
    page.context.set_offline(False)


def test_a_task_that_was_decided_is_not_skipped_while_the_next_is_on_its_way(desk: Any) -> None:
    page = desk(6)
    page.wait_for_timeout(SETTLED)
    held = hold(page, NEXT)
    for _ in range(2):
        decide(page, "1")
    third = press(page, "1")
    for key in ("s", "1", "2"):
        page.keyboard.press(key)
    release(page, NEXT, held)
    moves_on_from(page, third)
    nothing_refused(page)
    assert events() == ["answer"] * 3


def test_an_undo_stays_when_the_next_task_comes_late(desk: Any) -> None:
    page = desk(6)
    page.wait_for_timeout(SETTLED)
    held = hold(page, NEXT)
    for _ in range(2):
        decide(page, "1")
    third = press(page, "1")
    page.keyboard.press("u")
    release(page, NEXT, held)
    page.wait_for_timeout(SETTLED)
    assert task_of(page) == third
    decide(page, "2")
    nothing_refused(page)
    assert events() == ["answer"] * 3 + ["undo", "answer"]


def test_a_server_that_fails_at_first_gets_the_answer_once(desk: Any) -> None:
    page = desk(3)
    failed: list[int] = []

    def fail_once(route: Route) -> None:
        failed.append(500)
        route.fulfill(status=500, body="<h1>Something broke</h1>") if len(failed) < 2 else route.continue_()

    page.route("**/submit", fail_once)
    decide(page, "1")
    nothing_refused(page)
    assert len(failed) == 2 and events() == ["answer"]


def test_offline_after_the_last_task_it_does_not_say_that_others_have_it(desk: Any) -> None:
    page = desk(1)
    page.wait_for_timeout(SETTLED)
    page.context.set_offline(True)
    decide(page, "1")
    expect(page.get_by_role("heading", name="Waiting for the next task")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name="All done")).to_be_visible()
    assert events() == ["answer"]


def test_reloading_at_any_moment_neither_loses_nor_doubles(desk: Any) -> None:
    page = desk(6)
    page.on("dialog", lambda dialog: dialog.accept())
    for pause in (0, 20, 60, 150):
        task = press(page, "1")
        page.wait_for_timeout(pause)
        page.reload()
        moves_on_from(page, task)
    wait_until_sent(page)
    assert events() == ["answer"] * 4 and Annotation.objects.values("task").distinct().count() == 4


def test_a_page_made_just_before_the_answer_arrived_shows_the_following_task(desk: Any) -> None:
    page = desk(3)
    stale = page.request.get(page.url).text()
    task = decide(page, "1")
    wait_until_sent(page)
    page.route("**/annotate/", lambda route: route.fulfill(body=stale, content_type="text/html"))
    page.reload()
    moves_on_from(page, task)


def test_who_reads_for_long_keeps_the_task(sign_in: Any, crew: Cast) -> None:
    make_pairs(crew.project, 1)
    context = sign_in(crew.ann)
    context.clock.install()
    page = context.new_page()
    page.goto(f"/projects/{crew.project.slug}/annotate/")
    before = Assignment.objects.get().expires_at
    page.clock.fast_forward("04:00")
    page.mouse.move(200, 200)
    with page.expect_response("**/annotate/alive/") as told:
        page.clock.fast_forward("01:00")
    assert told.value.status == 204 and Assignment.objects.get().expires_at > before


# --- Undo ---------------------------------------------------------------------------------------------


def test_an_undo_of_what_was_not_yet_sent(desk: Any) -> None:
    page = desk(4)
    page.wait_for_timeout(SETTLED)
    page.context.set_offline(True)
    first = decide(page, "Shift+Digit1")
    press(page, "u")
    assert task_of(page) == first
    expect(page.locator("#progress-text")).to_have_text("0 of 4 for you")
    decide(page, "0")
    page.context.set_offline(False)
    nothing_refused(page)
    assert events() == ["answer", "undo", "answer"] and Preference.objects.order_by("pk")[1].value == 0


def test_after_a_reload_too_what_was_not_yet_sent_is_taken_back_first(desk: Any) -> None:
    page = desk(4)
    decide(page, "1")
    wait_until_sent(page)
    page.on("dialog", lambda dialog: dialog.accept())
    page.route(API, lambda route: route.abort())
    second = decide(page, "1")
    page.reload()
    moves_on_from(page, second)
    press(page, "u")
    shows(page, second)
    page.unroute(API)
    nothing_refused(page)
    assert events() == ["answer", "answer", "undo"] and Annotation.objects.answers().count() == 1


def test_undo_pressed_twice_after_a_reload_is_one_undo(desk: Any) -> None:
    page = desk(4)
    decide(page, "1")
    second = decide(page, "2")
    wait_until_sent(page)
    page.reload()
    press(page, "u")
    page.keyboard.press("u")
    shows(page, second)
    nothing_refused(page)
    assert events() == ["answer", "answer", "undo"]


def test_an_undo_brings_the_words_back_even_after_a_reload(desk: Any) -> None:
    page = desk(2)
    press(page, "r")
    page.keyboard.type("Long thought about")
    page.keyboard.press("Enter")
    for again in (lambda: None, page.reload):
        decide(page, "1")
        wait_until_sent(page)
        again()
        press(page, "u")
        expect(page.locator("#rationale")).to_have_value("Long thought about")
    decide(page, "2")
    wait_until_sent(page)
    assert Annotation.objects.answers().get().rationale == "Long thought about"


def test_the_last_task_can_be_taken_back(desk: Any) -> None:
    page = desk(1)
    task = decide(page, "1")
    wait_until_sent(page)
    page.get_by_role("button", name="Undo the last one").click()
    shows(page, task)
    decide(page, "0")
    expect(page.get_by_role("heading", name="All done")).to_be_visible()
    nothing_refused(page)
    assert events() == ["answer", "undo", "answer"] and Task.objects.get().done == 1


def test_a_skip_can_be_taken_back(desk: Any) -> None:
    page = desk(2)
    task = press(page, "s")
    page.get_by_role("textbox", name="Another reason").fill("My own reason")
    page.keyboard.press("Enter")
    moves_on_from(page, task)
    press(page, "u")
    shows(page, task)
    decide(page, "1")
    nothing_refused(page)
    assert events() == ["skip", "undo", "answer"] and Annotation.objects.order_by("pk")[0].reason == "My own reason"
    expect(page.locator("#progress-text")).to_have_text("1 of 2 for you")


# --- What the protocol wants, and refusals ------------------------------------------------------------


def test_without_the_required_words_nothing_is_decided(desk: Any, crew: Cast) -> None:
    projects.revise_protocol(project=crew.project, rationale="required")
    page = desk(2)
    why = page.get_by_label("Why (required)")
    for words in ("", "   "):
        task = press(page, "1")
        expect(page.locator("#said")).to_have_text("Say why first.")
        expect(why).to_be_focused()
        why.fill(words)
        page.keyboard.press("Escape")
    assert task_of(page) == task
    why.fill("It is right.")
    page.keyboard.press("Escape")
    decide(page, "1")
    wait_until_sent(page)
    assert Annotation.objects.get().rationale == "It is right."


def test_a_refused_decision_is_named_and_its_task_comes_again(desk: Any, crew: Cast) -> None:
    page = desk(1)
    projects.revise_protocol(project=crew.project, rationale="required")
    task = press(page, "1")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("did not take 1 decision: say why, in a few words")
    shows(page, task)
    page.get_by_role("button", name="Dismiss").click()
    expect(alert).to_be_empty()
