"""Training on the annotation screen: what was right is shown over the task, and a key goes on."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from curation.models import Gold, GoldResult
from curation.services.gold import rules
from tests.browser.desk import press, task_of
from tests.cast import Cast, make_pairs
from tests.test_gold import make_gold


def test_a_training_is_gone_through_by_keyboard(crew: Cast, sign_in: Any) -> None:
    tasks = make_pairs(crew.project, 6)
    make_gold(crew, tasks[:2], -1, phase="training")
    Gold.objects.update(explanation="It **answers** the question.")
    rules.change_rules(project=crew.project, changes={"training": 2, "pass_share": 0})
    page = sign_in(crew.ann).new_page()
    page.goto(f"/projects/{crew.project.slug}/annotate/")
    expect(page.locator(".task__training")).to_contain_text("1 of 2")
    for number in (1, 2):
        task = press(page, "1")
        lesson = page.locator("dialog.lesson")
        expect(lesson).to_be_visible()
        expect(lesson).to_contain_text("is better")
        expect(lesson.locator("strong")).to_have_text("answers")
        expect(lesson).to_contain_text("1 of 2 answered" if number == 1 else "From here on the tasks are real")
        page.keyboard.press("2")
        assert task_of(page) == task
        page.keyboard.press("Enter")
        expect(lesson).to_have_count(0)
        expect(page.locator(f"#stage [data-task='{task}']")).to_have_count(0)
    expect(page.locator("#stage [data-task]")).to_be_visible()
    expect(page.locator(".task__training")).to_have_count(0)
    assert GoldResult.objects.count() == 2
