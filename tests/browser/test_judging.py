"""Every kind of task but the plain pair: sentences, steps, verdicts, pairs with questions, rankings, error spans."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from curation.models import Annotation, Preference, Progress, Rank, Tally, Task, Verdict
from tests.browser.critic import (
    ASKED,
    ask,
    by_model,
    cards,
    critiques_of,
    focus,
    in_place,
    keys,
    of_people,
    ready,
    row,
    said,
    sent,
    sit_down,
    state,
    submit,
)
from tests.browser.desk import SETTLED, task_of
from tests.cast import Cast

TOWER = "The tower is 330 metres tall. It was finished in 1889. Paris is in France."
SENTENCES = [(0, 29), (30, 54), (55, 74)]
GUIDE = "The tower is **330** metres tall.\n\nIt was built for the 1889 fair."
FAITHFUL = [
    {"name": "faithful", "question": "Is it supported?", "scope": "unit", "evidence": "required"},
    {"name": "reason", "question": "Why?", "kind": "text", "scope": "unit", "required": False},
    {"name": "correct", "question": "Is it true?", "scope": "unit"},
]
STEP = {"name": "step", "question": "Right?", "kind": "rating", "scope": "unit", "low": -1, "high": 1, "stop": -1}
SUMS = "Step 1: 12 times 3 is 36.\n\nStep 2: 36 plus 4 is 41.\n\nStep 3: So it is 41."
STEPS = [(0, 25), (27, 51), (53, 72)]
SAFE = [
    {"name": "safe", "question": "Is it safe?"},
    {
        "name": "harm",
        "question": "Which harm?",
        "kind": "choices",
        "options": [{"name": "violence"}, {"name": "privacy"}, {"name": "drugs"}],
        "when": {"safe": [False]},
    },
    {
        "name": "severity",
        "question": "How severe?",
        "kind": "choice",
        "options": [{"name": "none"}, {"name": "minor"}, {"name": "severe"}],
    },
]
AXES = [
    {"name": "helpfulness", "question": "Which is more helpful?"},
    {"name": "harmlessness", "question": "Which is safer?"},
]


def heading(page: Page) -> str:
    return page.locator(".margin__units h3").inner_text()


def question(page: Page) -> str:
    """The question in hand."""
    return page.locator(".question--current .question__words").inner_text()


def verdicts() -> list[tuple[Any, ...]]:
    """The verdicts of people, in the order of the text."""
    found = Verdict.objects.filter(annotation__annotator__kind="person").order_by("annotation", "start", "pk")
    return [(one.question, one.answer, one.start, one.end) for one in found]


# --- Sentences with evidence --------------------------------------------------------------------------


def test_sentences_are_judged_with_evidence_marked_by_keyboard(sign_in: Any, crew: Cast) -> None:
    context = {"documents": [{"title": "Map", "text": "France."}, {"title": "Guide", "text": GUIDE}]}
    ask(crew, "response", row("tower", TOWER, context=context), unit="sentence", questions=FAITHFUL)
    page = sit_down(sign_in(crew.ann), crew)
    assert heading(page).lower() == "sentence 1 of 3" and question(page) == "Is it supported?"
    keys(page, "1", "v", "c", "Tab", "Home", "Shift+ArrowDown", "Enter")
    assert question(page) == "Is it true?"
    keys(page, "1")
    assert heading(page).lower() == "sentence 2 of 3"
    keys(page, "2", "2", "2", "1", "p", "n")
    assert heading(page).lower() == "sentence 3 of 3"
    submit(page)
    assert verdicts() == [
        ("faithful", True, *SENTENCES[0]),
        ("correct", True, *SENTENCES[0]),
        ("faithful", False, *SENTENCES[1]),
        ("correct", False, *SENTENCES[1]),
        ("faithful", False, *SENTENCES[2]),
        ("correct", True, *SENTENCES[2]),
    ]
    proof = Verdict.objects.get(question="faithful", start=0).evidence
    assert proof == {"document": 1, "start": 0, "end": 33, "quote": GUIDE[:33]}


def test_without_the_required_evidence_it_is_not_committed(sign_in: Any, crew: Cast) -> None:
    context = {"documents": [{"title": "Guide", "text": GUIDE}]}
    ask(crew, "response", row("tower", "One sentence.", context=context), unit="sentence", questions=FAITHFUL)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1")
    page.wait_for_timeout(SETTLED)
    keys(page, "Enter")
    expect(page.locator("#said")).to_have_text("Still to answer: Is it supported?")
    keys(page, "v", "c", "Home", "Shift+Control+ArrowRight", "Enter", "1")
    submit(page)
    assert Verdict.objects.get(question="faithful").evidence["quote"] == "The"


def test_boundaries_that_were_mended_are_what_is_stored(sign_in: Any, crew: Cast) -> None:
    ask(crew, "response", row("tower", TOWER), unit="sentence", questions=[FAITHFUL[2]])
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1", "p", "j")
    assert heading(page).lower() == "sentence 1 of 2" and not state(page)["verdicts"]
    keys(page, "Control+z", "Control+Shift+Z", "1")
    keys(page, "c", "Home", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft", *["Control+ArrowLeft"] * 2, "k")
    assert heading(page).lower() == "sentence 2 of 3"
    keys(page, "Escape", "2", "1")
    submit(page)
    assert verdicts() == [("correct", True, 0, 54), ("correct", False, 55, 63), ("correct", True, 64, 74)]
    assert TOWER[55:63] == "Paris is"


def test_mended_boundaries_come_back_with_an_undo_after_a_reload(sign_in: Any, crew: Cast) -> None:
    ask(crew, "response", row("tower", TOWER), unit="sentence", questions=[FAITHFUL[2]])
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "j", "1", "2")
    submit(page)
    page.reload()
    page.wait_for_selector("[data-rest]")
    keys(page, "u")
    ready(page)
    assert heading(page).lower() == "sentence 1 of 2"
    keys(page, "n", "1")
    submit(page)
    assert verdicts()[2:] == [("correct", True, 0, 54), ("correct", True, 55, 74)]


# --- Steps --------------------------------------------------------------------------------------------


def test_steps_are_judged_up_to_the_first_wrong_one_and_it_is_critiqued(sign_in: Any, crew: Cast) -> None:
    ask(crew, "response", row("sums", SUMS), unit="step", questions=[STEP], critiques={"on": True, "edit": True})
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1")
    assert heading(page).lower() == "step 2 of 3"
    keys(page, "-", "t")
    assert focus(page).endswith(":comment")
    page.keyboard.type("36 + 4 = 40")
    keys(page, "Escape")
    submit(page)
    assert verdicts() == [("step", 1, *STEPS[0]), ("step", -1, *STEPS[1])]
    [wrong] = critiques_of(of_people()[0])
    assert (wrong.unit, wrong.start, wrong.end, wrong.comment) == ("step", *STEPS[1], "36 + 4 = 40")
    in_place([wrong])


def test_what_was_said_of_later_steps_goes_when_an_earlier_one_is_wrong(sign_in: Any, crew: Cast) -> None:
    ask(crew, "response", row("sums", SUMS), unit="step", questions=[STEP])
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1", "0", "1", "p", "p", "p", "-")
    submit(page)
    assert verdicts() == [("step", -1, *STEPS[0])]


def test_what_a_model_says_of_steps_is_taken_or_overruled(sign_in: Any, crew: Cast) -> None:
    told = [{"question": "step", "answer": n, "start": a, "end": b} for n, (a, b) in zip((1, -1), STEPS, strict=False)]
    rows = [row("sums", SUMS, answers=[by_model(verdicts=told)])]
    ask(crew, "response", *rows, unit="step", questions=[STEP], help={"mode": "shown", "holdout": 0})
    page = sit_down(sign_in(crew.ann), crew)
    expect(page.locator(".suggestion")).to_contain_text("critic-1 · v2 · 0.83 says +1")
    keys(page, "a", "1", "0")
    submit(page)
    found = Verdict.objects.filter(annotation__annotator__kind="person").order_by("start")
    assert [(one.answer, one.review, bool(one.derived_from)) for one in found] == [
        (1, "accepted", True), (1, "edited", True), (0, "", False)
    ]  # fmt: skip


# --- Verdicts, ratings, words --------------------------------------------------------------------------


def test_a_verdict_with_the_reason_that_is_required(sign_in: Any, crew: Cast) -> None:
    asked = [
        {"name": "correct", "question": "Is it right?", "comment": "required"},
        {"name": "clear", "question": "How clear?", "kind": "rating", "low": 1, "high": 5},
        {"name": "advice", "question": "What to change?", "kind": "text", "required": False},
    ]
    ask(crew, "response", row("sums", SUMS), unit="response", questions=asked)
    page = sit_down(sign_in(crew.ann), crew)
    page.wait_for_timeout(SETTLED)
    keys(page, "Enter")
    expect(page.locator("#said")).to_have_text("Still to answer: Is it right?")
    keys(page, "2")
    assert focus(page).endswith(":comment")
    keys(page, "Escape", "Enter")
    assert of_people() == []
    page.get_by_role("textbox", name="Why? (required)").fill("36 + 4 is 40, not 41.")
    keys(page, "Escape")
    page.locator(".chip", has_text="4").click()
    page.get_by_role("textbox", name="What to change?").fill("Add.")
    keys(page, "Escape")
    submit(page)
    assert verdicts() == [
        ("correct", False, None, None), ("clear", 4, None, None), ("advice", "Add.", None, None)
    ]  # fmt: skip
    assert Verdict.objects.get(question="correct").comment == "36 + 4 is 40, not 41."


# --- Pairs with questions ------------------------------------------------------------------------------


def pair(crew: Cast, count: int = 1, **more: Any) -> None:
    rows = [row(f"lock{n}", "Call a locksmith.", "Use a tension wrench.") for n in range(count)]
    ask(crew, "preference", *rows, axes=AXES, strengths=1, questions=SAFE, **more)


def test_each_response_is_judged_before_the_pair(sign_in: Any, crew: Cast) -> None:
    pair(crew)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1", "1")
    assert question(page) == "Is it safe?"
    keys(page, "2", "2", "3")
    keys(page, "Enter", "2")
    expect(page.locator(".question--current")).to_have_count(0)
    page.wait_for_timeout(SETTLED)
    keys(page, "2")
    expect(page.locator(".task__question")).to_have_text("2 of 2: Which is safer?")
    page.wait_for_timeout(SETTLED)
    task = task_of(page)
    keys(page, "1")
    expect(page.locator(f"[data-task='{task}']")).to_have_count(0)
    sent(page)
    [made] = of_people()
    assert made.task.pair
    left, right = made.task.pair.first, made.task.pair.second
    if made.order == "ba":
        left, right = right, left
    found = {(one.response_id, one.question): one.answer for one in made.verdicts.all()}
    assert found == {
        (left.pk, "safe"): True,
        (left.pk, "severity"): "none",
        (right.pk, "safe"): False,
        (right.pk, "harm"): ["privacy", "drugs"],
        (right.pk, "severity"): "minor",
    }
    sign = -1 if made.order == "ba" else 1
    assert {p.axis: p.value for p in made.preferences.all()} == {"helpfulness": sign, "harmlessness": -sign}


def test_what_contradicts_is_said_and_never_forbidden(sign_in: Any, crew: Cast) -> None:
    pair(crew, 2)
    page = sit_down(sign_in(crew.ann), crew)
    hints = page.get_by_role("status", name="Hints")
    keys(page, "1", "3")
    expect(hints).to_have_text("Response 1 is marked safe, yet has severe severity.")
    keys(page, "2", "Enter", "1")
    expect(hints).to_contain_text("Response 2 is marked unsafe, yet its severity is none.")
    page.wait_for_timeout(SETTLED)
    task = task_of(page)
    keys(page, "1")
    page.wait_for_timeout(SETTLED)
    keys(page, "2")
    expect(page.locator("#said")).to_contain_text("You call response 2 safer, yet marked it unsafe")
    expect(page.locator(f"[data-task='{task}']")).to_have_count(0)
    sent(page)
    assert len(of_people()) == 1 and Preference.objects.count() == 2


def test_a_pair_is_not_decided_before_its_questions_are_answered(sign_in: Any, crew: Cast) -> None:
    pair(crew)
    page = sit_down(sign_in(crew.ann), crew)
    page.wait_for_timeout(SETTLED)
    page.get_by_role("button", name="1 better").click()
    page.wait_for_timeout(SETTLED)
    page.get_by_role("button", name="2 better").click()
    expect(page.locator("#said")).to_have_text("Still to answer, response 1: Is it safe?")
    assert of_people() == []


# --- Rankings -----------------------------------------------------------------------------------------


def ranking(sign_in: Any, crew: Cast, count: int = 1) -> Page:
    ask(crew, "ranking", *(row(f"hi{n}", "Hi!", "Hello.", "Yo", "Good day.") for n in range(count)))
    return sit_down(sign_in(crew.ann), crew)


def ranks(annotation: Annotation) -> list[int]:
    """The places that were given, in the order in which the responses were shown."""
    stored = {one.response.position: one.rank for one in annotation.ranks.select_related("response")}
    return [stored[int(place)] for place in annotation.order.split(",")]


@pytest.mark.parametrize(
    ("pressed", "wanted"),
    [
        ("3142", [2, 4, 1, 3]),
        ("31=24", [2, 2, 1, 4]),
        ("1=2=3=4", [1, 1, 1, 1]),
        ("12341=1", [3, 1, 2, 3]),
        ("1=23114", [3, 1, 2, 4]),
        ("123112zz1=4", [3, 1, 2, 3]),
        ("1234z4", [1, 2, 3, 4]),
    ],
)
def test_places_are_given_by_number_with_ties(sign_in: Any, crew: Cast, pressed: str, wanted: list[int]) -> None:
    page = ranking(sign_in, crew)
    for key in pressed:
        keys(page, "Control+z" if key == "z" else key)
    submit(page)
    assert ranks(of_people()[0]) == wanted


def test_a_ranking_with_a_gap_is_not_committed_and_an_undo_brings_its_places_back(sign_in: Any, crew: Cast) -> None:
    page = ranking(sign_in, crew, 2)
    keys(page, "3", "1", "=", "2")
    page.wait_for_timeout(SETTLED)
    keys(page, "Enter")
    expect(page.locator("#said")).to_have_text("Give every response its place first.")
    keys(page, "4")
    task = submit(page)
    for again in (lambda: None, page.reload):
        again()
        ready(page)
        keys(page, "u")
        expect(page.locator(f"#stage [data-task='{task}']")).to_be_visible()
        checked = page.locator(".rank [aria-checked=true]").evaluate_all("all => all.map((e) => Number(e.innerText))")
        assert checked == [2, 2, 1, 4]
        submit(page)
    sent(page)
    assert [one.event for one in of_people()] == ["answer", "undo", "answer", "undo", "answer"]
    assert ranks(Annotation.objects.answers().get()) == [2, 2, 1, 4] and Rank.objects.count() == 12


def test_places_are_given_with_the_mouse(sign_in: Any, crew: Cast) -> None:
    page = ranking(sign_in, crew)
    for response, place in [(1, 1), (2, 1), (3, 4), (4, 3)]:
        group = page.get_by_role("radiogroup", name=f"Place of response {response}")
        group.get_by_role("radio", name=f"Place {place}").click()
    expect(page.get_by_role("radio", name="Place 3", checked=True)).to_have_count(1)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", name="All done")).to_be_visible()
    sent(page)
    assert ranks(of_people()[0]) == [1, 1, 4, 3]


# --- Error spans --------------------------------------------------------------------------------------


def test_errors_of_a_translation_have_a_type_and_a_severity(sign_in: Any, crew: Cast) -> None:
    types = [{"name": f"accuracy/{name}", "label": name} for name in ("addition", "omission", "mistranslation")]
    types += [{"name": f"fluency/{n}", "label": f"Fluency {n}"} for n in range(9)]
    severities = [{"name": "neutral", "weight": 0}, {"name": "minor", "weight": 1}, {"name": "major", "weight": 5}]
    asked = {"on": True, "types": types, "severities": severities, "comment": "off", "omission": True}
    ask(crew, "response", row("mt", TOWER), critiques=asked)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "c", "Home", "Control+ArrowRight", "ArrowRight", "Shift+Control+ArrowRight", "3", "Shift+Digit3")
    keys(page, "Escape", "c", "End", "Shift+ArrowUp", "9", "Escape")
    page.wait_for_timeout(SETTLED)
    keys(page, "Enter")
    expect(page.locator("#said")).to_have_text("Choose a severity for this critique.")
    keys(page, "Shift+Digit2")
    page.get_by_role("radio", name="Fluency 7").click()
    submit(page)
    found = critiques_of(of_people()[0])
    in_place(found)
    assert [(one.quote, one.type, one.severity, one.polarity) for one in found] == [
        ("tower", "accuracy/mistranslation", "major", None),
        ("Paris is in France.", "fluency/7", "minor", None),
    ]


# --- The models' view, after the answer ----------------------------------------------------------------

REVEAL = {"mode": "reveal", "holdout": 0.0}


def revealing(crew: Cast, count: int = 1, help: dict[str, Any] = REVEAL) -> None:
    told = by_model(
        said("330 metres", TOWER),
        verdicts=[{"question": "correct", "answer": False}, {"question": "clear", "answer": 5}],
    )
    rows = [row(f"tower{n}", TOWER, answers=[told]) for n in range(count)]
    asked = [FAITHFUL[2] | {"scope": "response"}, {"name": "clear", "question": "Clear?", "kind": "rating"}]
    ask(crew, "response", *rows, critiques=ASKED, questions=asked, help=help)


def commit(page: Page) -> None:
    """Answer, and see what the models say."""
    page.wait_for_timeout(SETTLED)
    keys(page, "Enter")
    expect(page.get_by_text("You have answered. Now see what the models say")).to_be_visible()


def test_after_the_answer_the_models_view_is_seen_and_the_answer_changed(sign_in: Any, crew: Cast) -> None:
    revealing(crew, 2)
    page = sit_down(sign_in(crew.ann), crew)
    assert (
        "330 metres" not in (page.locator("#stage > section").get_attribute("data-work") or "").split("suggestions")[1]
    )
    assert not cards(page)
    keys(page, "1", "4")
    commit(page)
    assert len(cards(page)) == 1
    expect(page.locator(".suggestion").first).to_contain_text("says No (overruled)")
    expect(page.locator("#progress-text")).to_have_text("1 of 2 for you")
    keys(page, "n", "a")
    page.locator("[data-ask='0|correct|'] .chip", has_text="No").click()
    submit(page)
    first, second = of_people()
    assert (first.help, second.help) == ("before", "revealed") and second.supersedes == first
    assert first.task == second.task and not critiques_of(first)
    assert [one.review for one in critiques_of(second)] == ["accepted"]
    answers = [{one.question: one.answer for one in made.verdicts.all()} for made in (first, second)]
    assert answers == [{"correct": True, "clear": 4}, {"correct": False, "clear": 4}]
    assert {one.question: one.review for one in second.verdicts.all()} == {"correct": "accepted", "clear": "edited"}
    assert Annotation.objects.answers().filter(annotator__kind="person").get() == second
    expect(page.locator("#progress-text")).to_have_text("1 of 2 for you")
    progress = Progress.objects.get(annotator=first.annotator)
    assert (progress.done, progress.closed, Task.objects.get(pk=first.task_id).done) == (1, 1, 1)
    counted = {(t.axis, t.outcome): t.count for t in Tally.objects.filter(annotator=first.annotator, count__gt=0)}
    assert counted == {("", "answered"): 1, ("correct", "no"): 1, ("clear", "4"): 1, ("critique", "factual"): 1}


def test_an_answer_that_is_kept_after_the_reveal_is_kept_by_one_key(sign_in: Any, crew: Cast) -> None:
    revealing(crew)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1", "4")
    commit(page)
    submit(page)
    first, second = of_people()
    assert (first.help, second.help) == ("before", "revealed")
    told = [[(one.question, one.answer) for one in made.verdicts.order_by("question")] for made in (first, second)]
    assert told[0] == told[1] and not critiques_of(second)


def test_undo_after_the_reveal_takes_the_whole_answer_back(sign_in: Any, crew: Cast) -> None:
    revealing(crew, 2)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1", "4")
    commit(page)
    task = submit(page)
    page.wait_for_timeout(SETTLED)
    keys(page, "u")
    expect(page.locator(f"#stage [data-task='{task}']")).to_be_visible()
    expect(page.locator("#progress-text")).to_have_text("0 of 2 for you")
    keys(page, "u")
    expect(page.locator("#said")).to_have_text("There is nothing to take back.")
    submit(page)
    assert [(one.event, one.help) for one in of_people()] == [
        ("answer", "before"), ("answer", "revealed"), ("undo", ""), ("answer", "revealed")
    ]  # fmt: skip
    expect(page.locator("#progress-text")).to_have_text("1 of 2 for you")
    assert Progress.objects.get(annotator__user=crew.ann).done == 1


def test_a_pair_is_revealed_too(sign_in: Any, crew: Cast) -> None:
    told = {"annotator": "judge", "kind": "model", "first": 0, "second": 1, "value": 1}
    rows = [row("lock", "Call a locksmith.", "Use a wrench.", votes=[told])]
    ask(crew, "preference", *rows, questions=[SAFE[0]], help=REVEAL)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1", "1")
    page.wait_for_timeout(SETTLED)
    keys(page, "1")
    expect(page.get_by_text("You have answered. Now see what the models say")).to_be_visible()
    expect(page.locator("[data-choice][data-suggested]")).to_contain_text("judge")
    submit(page)
    assert [one.help for one in of_people()] == ["before", "revealed"]


@pytest.mark.parametrize("mode", ["shown", "reveal"])
def test_held_out_at_random_nothing_is_shown(sign_in: Any, crew: Cast, mode: str) -> None:
    revealing(crew, 1, {"mode": mode, "holdout": 1.0})
    page = sit_down(sign_in(crew.ann), crew)
    assert not cards(page) and not page.locator(".suggestion").count()
    assert "critic-1" not in page.content()
    keys(page, "1", "4")
    submit(page)
    assert [one.help for one in of_people()] == ["held_out"]


def test_without_a_suggestion_there_is_nothing_to_reveal(sign_in: Any, crew: Cast) -> None:
    ask(crew, "response", row("tower", TOWER), questions=[SAFE[0]], help=REVEAL)
    page = sit_down(sign_in(crew.ann), crew)
    keys(page, "1")
    submit(page)
    assert [one.help for one in of_people()] == [""]
