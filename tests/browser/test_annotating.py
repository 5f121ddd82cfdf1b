"""The annotation screen in a real browser: one key decides, and nothing is lost or doubled."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Route, expect

from curation.models import Annotation, Assignment, Preference, Task
from curation.services import projects
from tests.browser.desk import SETTLED, decide, moves_on_from, press, task_of, wait_until_sent
from tests.cast import Cast


def test_a_day_at_the_desk_by_keyboard_alone(desk: Any) -> None:
    page = desk(12)
    for key in ["1", "2", "0", "b", "Shift+Digit1", "Shift+Digit2", "ArrowLeft", "ArrowRight", "Shift+ArrowLeft"]:
        decide(page, key)
    press(page, "s")
    page.keyboard.press("3")
    page.wait_for_timeout(SETTLED)
    decide(page, "1")
    decide(page, "2")
    expect(page.get_by_role("heading", name="All done")).to_be_visible()
    wait_until_sent(page)
    assert Annotation.objects.answers().count() == 11
    assert Annotation.objects.get(event="skip").reason == "A language I do not read"
    expect(page.locator("#progress-text")).to_have_text("11 of 11 for you")


def test_the_side_that_was_pressed_is_the_side_that_is_stored(desk: Any) -> None:
    page = desk(8)
    for _ in range(8):
        left = page.locator(".response--first .response__body").inner_text()
        task = decide(page, "Shift+Digit1")
        wait_until_sent(page)
        stored = Preference.objects.select_related("annotation__task__pair__first").get(annotation__task=task)
        first_is_left = stored.annotation.task.pair.first.text == left.strip()
        assert stored.value == (-2 if first_is_left else 2)
        assert Assignment.objects.get(task=task).order == ("ab" if first_is_left else "ba")


def test_a_double_key_press_decides_one_task(desk: Any) -> None:
    page = desk(5)
    press(page, "1")
    page.keyboard.press("1")
    page.keyboard.press("1")
    page.wait_for_timeout(SETTLED)
    wait_until_sent(page)
    assert Annotation.objects.count() == 1


def test_without_a_network_decisions_are_kept_and_sent_once(desk: Any) -> None:
    page = desk(6)
    page.wait_for_timeout(800)
    page.context.set_offline(True)
    for key in ("1", "2", "0"):
        press(page, key)
        page.wait_for_timeout(SETTLED)
    expect(page.locator("#unsent")).to_have_text("3 unsent")
    assert Annotation.objects.count() == 0
    page.context.set_offline(False)
    wait_until_sent(page)
    assert Annotation.objects.answers().count() == 3


def test_a_reply_that_never_came_is_not_a_second_answer(desk: Any) -> None:
    page = desk(3)
    lost: list[str] = []

    def lose_the_first_reply(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.request.url)
            route.fetch()
            route.abort()

    page.route("**/submit", lose_the_first_reply)
    press(page, "1")
    wait_until_sent(page)
    assert lost and Annotation.objects.count() == 1


def test_a_server_that_restarts_loses_nothing(desk: Any) -> None:
    page = desk(4)
    page.wait_for_timeout(800)
    page.route("**/api/v1/**", lambda route: route.fulfill(status=503, body="restarting"))
    press(page, "1")
    press(page, "2")
    page.unroute("**/api/v1/**")
    wait_until_sent(page)
    assert Annotation.objects.answers().count() == 2


def test_a_reload_replays_what_was_not_sent_and_shows_the_following_task(desk: Any) -> None:
    page = desk(4)
    page.wait_for_timeout(800)
    page.route("**/api/v1/**", lambda route: route.abort())
    decided = press(page, "1")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    moves_on_from(page, decided)
    page.unroute("**/api/v1/**")
    wait_until_sent(page)
    assert Annotation.objects.answers().get().task_id == decided


def test_undo_goes_back_across_tasks(desk: Any) -> None:
    page = desk(5)
    first, second = decide(page, "1"), decide(page, "2")
    wait_until_sent(page)
    press(page, "u")
    assert task_of(page) == second
    press(page, "Control+z")
    assert task_of(page) == first
    wait_until_sent(page)
    assert not Annotation.objects.answers().exists()
    press(page, "Shift+Digit2")
    wait_until_sent(page)
    answer = Annotation.objects.answers().get()
    assert answer.task_id == first and abs(answer.preferences.get().value or 0) == 2


def test_undo_after_a_reload_asks_the_server(desk: Any) -> None:
    page = desk(3)
    decided = press(page, "1")
    wait_until_sent(page)
    page.reload()
    press(page, "u")
    expect(page.locator(f"#stage [data-task='{decided}']")).to_be_visible()
    wait_until_sent(page)
    assert not Annotation.objects.answers().exists()


def test_two_tabs_move_on_together(desk: Any, crew: Cast) -> None:
    page = desk(4)
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("[data-task]")
    assert task_of(other) == task_of(page)
    decided = press(page, "1")
    moves_on_from(other, decided)
    wait_until_sent(page)
    assert Annotation.objects.count() == 1 and Task.objects.filter(done__gt=1).count() == 0


def test_keys_are_text_in_a_text_field(desk: Any) -> None:
    page = desk(3)
    press(page, "r")
    page.keyboard.type("1 is better, but 2 is shorter, s u b 0")
    page.keyboard.press("Escape")
    press(page, "1")
    wait_until_sent(page)
    assert Annotation.objects.get().rationale == "1 is better, but 2 is shorter, s u b 0"


def test_a_draft_survives_a_reload(desk: Any) -> None:
    page = desk(2)
    press(page, "r")
    page.keyboard.type("half a thought")
    page.reload()
    expect(page.locator("#rationale")).to_have_value("half a thought")


def test_a_signed_out_annotator_keeps_the_decision(desk: Any) -> None:
    page = desk(3)
    page.wait_for_timeout(800)
    page.context.clear_cookies(name="sessionid")
    press(page, "1")
    expect(page.get_by_text("You are signed out")).to_be_visible()
    expect(page.locator("#unsent")).to_have_text("1 unsent")


def test_the_difference_view_marks_the_words_that_differ(desk: Any) -> None:
    page = desk(1)
    press(page, "d")
    marked = page.evaluate(
        "[...CSS.highlights.get('differing-words')].map(r => r.startContainer.data.slice(r.startOffset, r.endOffset))"
    )
    assert sorted(marked) == ["0", "1"]
    page.keyboard.press("d")
    assert page.evaluate("CSS.highlights.has('differing-words')") is False


@pytest.mark.parametrize(
    ("a", "b", "only_a", "only_b"),
    [
        ("", "", [], []),
        ("x y z", "x y z", [], []),
        ("a b c d", "a x c d", [1], [1]),
        ("a b c", "c a b", [2], [0]),
        ("", "p q", [], [0, 1]),
        ("the cat sat on the mat", "a cat sat on my mat", [0, 4], [0, 4]),
    ],
)
def test_the_difference_of_two_texts(desk: Any, a: str, b: str, only_a: list[int], only_b: list[int]) -> None:
    page = desk(1)
    found = page.evaluate(
        "async ([a, b]) => (await import('/static/js/annotate/difference.js')).differing(a, b)", [a.split(), b.split()]
    )
    assert found == [only_a, only_b]


def test_time_is_counted_while_the_task_is_looked_at(desk: Any) -> None:
    page = desk(2)
    page.wait_for_timeout(1200)
    press(page, "1")
    wait_until_sent(page)
    assert 1000 < (Annotation.objects.get().active_ms or 0) < 15000


def test_the_screen_names_its_parts(desk: Any) -> None:
    page = desk(1)
    for role, name in [
        ("region", "Prompt"),
        ("article", "Response 1"),
        ("article", "Response 2"),
        ("group", "Which response is better?"),
        ("button", "1 much better"),
        ("button", "Tie"),
        ("progressbar", "Your progress"),
    ]:
        expect(page.get_by_role(role, name=name, exact=True)).to_be_visible()  # type: ignore[arg-type]


def test_a_task_whose_lease_ran_out_is_still_answered(desk: Any) -> None:
    page = desk(1)
    Assignment.objects.update(expires_at=timezone.now())
    press(page, "1")
    wait_until_sent(page)
    assert Annotation.objects.answers().count() == 1


def test_several_axes_are_asked_one_after_the_other(desk: Any, crew: Cast) -> None:
    axes = [{"name": "helpful", "question": "More helpful?"}, {"name": "harmless", "question": "Less harmful?"}]
    projects.revise_protocol(project=crew.project, axes=axes)
    page = desk(2)
    question = page.locator(".task__question")
    expect(question).to_have_text("1 of 2: More helpful?")
    press(page, "1")
    expect(question).to_have_text("2 of 2: Less harmful?")
    press(page, "u")
    expect(question).to_have_text("1 of 2: More helpful?")
    press(page, "0")
    decide(page, "b")
    wait_until_sent(page)
    said = Preference.objects.order_by("axis").values_list("axis", "value", "both_bad")
    assert list(said) == [("harmless", None, True), ("helpful", 0, False)]
    assert Annotation.objects.answers().count() == 1
