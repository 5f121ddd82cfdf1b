"""The effect of help: planted effects are found, chance is not taken for one, and too little is told as such."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from random import Random
from statistics import fmean, median, stdev
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from curation.access import annotator_for
from curation.models import Annotation, Project, Protocol, Task, TaskKind, User
from curation.services import annotating, assigning, helping, suggesting, suggestions
from curation.services.agreeing import overlap_f1, width
from curation.services.answering import Answer, Judged, Said
from curation.services.desk import Desk, desk_of
from curation.services.suggestions import Leaning, Suggestion
from curation.views.helping import in_words
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_projects_page import page
from tests.test_suggestions import SEA, item, land
from workers.intervals import mean_drawn, median_drawn, wilson

Says = Callable[[str], tuple[int, int]]
"""Given what the person sees of suggestions: the answer in stored order, and the active time."""
CORRECT = {"name": "correct", "question": "Is it correct?"}
CRITIQUES = {"on": True, "types": [{"name": "wrong"}]}


def with_help(project: Project, mode: str, holdout: float, kind: str = TaskKind.PREFERENCE, **more: Any) -> Project:
    """The project under a new protocol with help of models; its seed is the same at every run."""
    version = (project.protocol.version if project.protocol else 0) + 1
    help = {"mode": mode, "holdout": holdout}
    project.protocol = Protocol.objects.create(project=project, version=version, help=help, **more)
    project.kind, project.seed = kind, 20
    project.save()
    return project


def say(project: Project, *given: Suggestion, name: str = "critic") -> None:
    landed = suggestions.suggest(project=project, kind="model", name=name, given=list(enumerate(given)))
    assert not landed.rejected, landed.rejected


def pairs(cast: Cast, count: int, mode: str = "shown", holdout: float = 0.5) -> Project:
    """Pairs on which a model prefers the second response."""
    project = with_help(cast.project, mode, holdout)
    tasks = make_pairs(project, count)
    say(project, *(Suggestion(task=task.pk, preferences=[Leaning("overall", 1)]) for task in tasks))
    return project


def submit(desk: Desk, task_id: int, value: int, ms: int | None, number: int = 0) -> int:
    order = annotating.own(desk, task_id).order
    shown = -value if order == "ba" else value
    commit = annotating.Commit(f"{task_id}-{desk.annotator_id}-{number}", active_ms=ms)
    made = annotating.submit(
        desk=desk, task_id=task_id, commit=commit, judgements=[annotating.Judgement("overall", shown)]
    )
    return made.id


def work(user: User, project: Project, says: Says, most: int = 10_000) -> int:
    """Answer what is open to a person, as `says` has it; how many."""
    annotator = annotator_for(user, project)
    for number in range(most):
        desk = desk_of(project, annotator)
        task = assigning.next_shown(desk=desk)
        if task is None:
            return number
        value, ms = says(suggesting.help_on(desk, task.task_id, answered=False))
        submit(desk, task.task_id, value, ms)
    return most


SPREAD = [11_000, 13_000, 15_000, 17_000, 19_000, 21_000, 24_000, 28_000, 34_000, 45_000]
"""Active times of one's own; each side goes through them, so that the sides differ by what is planted alone."""


def honest() -> Says:
    """Six in ten agree; help changes nothing."""
    return planted(1.0, 6)


def swayed() -> Says:
    """With suggestions shown, three tenths faster, and agreeing nine times of ten instead of six."""
    return planted(0.7, 9)


def planted(factor: float, agreeing: int) -> Says:
    given: Counter[str] = Counter()

    def says(help: str) -> tuple[int, int]:
        place, shown = given[help] % 10, help == Annotation.Help.SHOWN
        given[help] += 1
        value = 1 if 7 * place % 10 < (agreeing if shown else 6) else -1
        return value, int(SPREAD[place] * (factor if shown else 1))

    return says


# --- Effects that are there, and those that are not -------------------------------------------------------------------


def test_a_planted_effect_is_found_within_its_interval(cast: Cast) -> None:
    project = pairs(cast, 300)
    assert work(cast.ann, project, swayed()) == 300
    found = helping.effect(project)
    assert found.enough and found.helped + found.held_out == 300 and 110 < found.held_out < 190
    time, agreed = found.of("median_time"), found.of("preferences")
    assert time and time.percent and agreed and agreed.difference
    assert time.percent.low < -30 < time.percent.high < 0
    assert 0 < agreed.difference.low < 0.3 < agreed.difference.high
    assert (time.n_helped, time.n_held_out) == (found.helped, found.held_out)
    words = in_words(found)
    assert re.match(
        r"With suggestions shown, people needed \d+ % less time \(95 % interval \d+ to \d+ %\)"
        r" and agreed with the model \d+ points more often \(\d+ to \d+\)\.$",
        words,
    ), words
    assert helping.effect(project) == found


def test_where_help_changes_nothing_the_interval_holds_zero(cast: Cast) -> None:
    project = pairs(cast, 120)
    work(cast.ann, project, honest())
    found = helping.effect(project)
    for comparison in found.comparisons:
        assert comparison.hundredths and not comparison.hundredths.clear, comparison
    assert "needed about as much time (95 % interval −" in in_words(found) and "about as often (−" in in_words(found)


@pytest.mark.parametrize("effect", [0.0, 0.3])
@pytest.mark.parametrize("measure", ["median_time", "mean_time", "preferences"])
def test_the_interval_holds_the_truth_as_often_as_it_says(measure: str, effect: float) -> None:
    missed = 0
    for seed in range(100):
        chance = Random(seed)

        def drawn(n: int, more: float, chance: Random = chance) -> list[float]:
            if measure == "preferences":
                return [float(chance.random() < 0.6 + more) for _ in range(n)]
            return [chance.lognormvariate(9, 0.6) * (1 - more) for _ in range(n)]

        found = helping.compared(measure, drawn(90, effect), drawn(40, 0), Random("help:7"))
        told, truth = (found.difference, effect) if measure == "preferences" else (found.percent, -100 * effect)
        assert told is not None
        missed += not told.low <= truth <= told.high
    assert missed <= 12


@pytest.mark.parametrize("size", [11, 24])
def test_medians_of_resamples_are_spread_as_if_each_was_drawn(size: int) -> None:
    chance = Random(5)
    values = sorted(chance.lognormvariate(3, 0.7) for _ in range(size))
    drawn = [median_drawn(values, chance) for _ in range(20_000)]
    naive = [median(chance.choices(values, k=size)) for _ in range(20_000)]
    assert fmean(drawn) == pytest.approx(fmean(naive), rel=0.02)
    assert stdev(drawn) == pytest.approx(stdev(naive), rel=0.04)
    assert stdev(mean_drawn(values, chance) for _ in range(5_000)) == pytest.approx(
        stdev(values) * ((size - 1) / size) ** 0.5 / size**0.5, rel=0.05
    )


def test_shares_have_wilsons_interval() -> None:
    half, none = wilson(5, 10), wilson(0, 20)
    assert (half.low, half.high) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert (none.share, none.low, none.high) == (0, 0, pytest.approx(0.1611, abs=1e-4))
    assert wilson(0, 0).share is None


# --- The coin ---------------------------------------------------------------------------------------------------------


def test_who_is_held_out_is_balanced_and_knows_nothing_of_the_task(cast: Cast) -> None:
    project = with_help(cast.project, "shown", 0.2)
    desks = [desk_of(project, annotator_for(user, project)) for user in (cast.ann, cast.bob)]
    tasks = range(1, 20_001)
    ann, bob = ([suggesting.held_out(desk, task) for task in tasks] for desk in desks)
    near = {"abs": 4 * (0.2 * 0.8 / len(tasks)) ** 0.5}
    assert fmean(ann) == pytest.approx(0.2, **near) and fmean(bob) == pytest.approx(0.2, **near)
    for step in (2, 3, 7, 10):
        for rest in range(step):
            assert fmean(ann[rest::step]) == pytest.approx(0.2, abs=near["abs"] * step**0.5)
    halves = ann[: len(ann) // 2], ann[len(ann) // 2 :]
    assert fmean(halves[0]) == pytest.approx(fmean(halves[1]), abs=2 * near["abs"])
    assert fmean(a and b for a, b in zip(ann, ann[1:], strict=False)) == pytest.approx(0.04, abs=0.006)
    assert fmean(a and b for a, b in zip(ann, bob, strict=True)) == pytest.approx(0.04, abs=0.006)
    assert ann == [suggesting.held_out(desks[0], task) for task in tasks]


def test_the_side_says_nothing_of_which_response_stands_left(cast: Cast) -> None:
    from curation.services.taking import shown_order

    project = with_help(cast.project, "shown", 0.5)
    desk = desk_of(project, annotator_for(cast.ann, project))
    left = [shown_order(desk.seed, task, desk.annotator_id) == "ab" for task in range(1, 10_001)]
    out = [suggesting.held_out(desk, task) for task in range(1, 10_001)]
    assert fmean(a and b for a, b in zip(left, out, strict=True)) == pytest.approx(0.25, abs=0.02)


# --- What is too little, and what does not count ----------------------------------------------------------------------


def test_too_few_answers_are_told_as_such(cast: Cast) -> None:
    project = pairs(cast, 30)
    assert "0 with suggestions shown, 0 with them held out" in in_words(helping.effect(project))
    work(cast.ann, project, swayed(), most=12)
    found = helping.effect(project)
    assert not found.enough and not any(c.difference or c.percent for c in found.comparisons)
    assert in_words(found).startswith(f"Too few answers yet to compare: {found.helped} with suggestions shown")


def test_where_nothing_is_held_out_it_says_so(cast: Cast) -> None:
    project = pairs(cast, 12, holdout=0)
    work(cast.ann, project, honest())
    assert "No share of the tasks is held out" in in_words(helping.effect(project))


def test_without_help_there_is_nothing_to_tell(cast: Cast) -> None:
    assert not helping.concerns(cast.project)
    found = helping.effect(cast.project)
    assert (found.mode, found.helped, found.comparisons, found.people) == ("off", 0, [], [])
    assert in_words(found) == "Suggestions of models are not shown in this project."


def test_what_was_taken_back_does_not_count_and_what_was_changed_counts_once(cast: Cast) -> None:
    project = pairs(cast, 2, holdout=0)
    one, other = Task.objects.order_by("pk")
    annotator = annotator_for(cast.ann, project)
    for _ in range(2):
        assigning.next_for(project=project, annotator=annotator)
        work(cast.ann, project, lambda _: (1, 8_000), most=1)
    desk = desk_of(project, annotator)
    submit(desk, one.pk, -1, 2_000, number=1)
    standing = Annotation.objects.answers().get(task=other, annotator=annotator)
    annotating.undo(desk=desk, annotation_id=standing.pk, commit=annotating.Commit("undo"))
    found = helping.effect(project)
    assert (found.helped, found.held_out) == (1, 0)
    time, agreed = found.of("mean_time"), found.of("preferences")
    assert time and time.helped == 10_000 and agreed and agreed.helped == 0


def test_a_suggestion_that_came_later_is_not_what_was_agreed_with(cast: Cast) -> None:
    project = pairs(cast, 3, holdout=0)
    work(cast.ann, project, lambda _: (1, 8_000))
    say(project, *(Suggestion(task=task.pk, preferences=[Leaning("overall", -1)]) for task in Task.objects.all()))
    agreed = helping.effect(project).of("preferences")
    assert agreed and (agreed.helped, agreed.n_helped) == (1, 3)


def test_other_settings_of_help_begin_anew(cast: Cast) -> None:
    project = pairs(cast, 8)
    work(cast.ann, project, honest(), most=5)
    again = with_help(project, "shown", 0.1)
    work(cast.ann, again, honest())
    found = helping.effect(again)
    assert (found.helped + found.held_out, found.holdout) == (3, 0.1)
    renamed = with_help(again, "shown", 0.1, guidelines="Other words.")
    assert helping.effect(renamed).helped == found.helped


# --- Verdicts, spans, critiques, ranks --------------------------------------------------------------------------------


def test_verdicts_spans_and_critiques_are_compared_too(cast: Cast) -> None:
    project = with_help(cast.project, "shown", 0.5, TaskKind.RESPONSE, critiques=CRITIQUES, questions=[CORRECT])
    land(project, *(item(f"n{n}", f"{SEA} {n}") for n in range(60)))
    given = Answer(
        critiques=[Said(start=0, end=10, type="wrong", comment="No.")], verdicts=[Judged("correct", answer=False)]
    )
    say(project, *(Suggestion(task=task.pk, answer=given) for task in Task.objects.all()))
    annotator = annotator_for(cast.ann, project)
    for _ in range(60):
        desk = desk_of(project, annotator)
        task = assigning.next_shown(desk=desk)
        assert task is not None
        shown = suggesting.help_on(desk, task.task_id, answered=False) == "shown"
        spans = [(0, 10), (12, 14)] if shown else [(5, 15)]
        answer = Answer(
            critiques=[Said(start=start, end=end, type="wrong", comment="So.") for start, end in spans],
            verdicts=[Judged("correct", answer=not shown)],
        )
        annotating.submit(desk=desk, task_id=task.task_id, commit=annotating.Commit(str(task.task_id)), more=answer)
    found = helping.effect(project)
    verdicts, spans, critiques = (found.of(name) for name in ("verdicts", "spans", "critiques"))
    assert verdicts and (verdicts.helped, verdicts.held_out) == (1, 0)
    assert spans and spans.helped == pytest.approx(20 / 22) and spans.held_out == pytest.approx(10 / 20)
    assert critiques and (critiques.helped, critiques.held_out) == (2, 1)
    assert critiques.percent and critiques.percent.value == 100 and found.of("median_time") is None
    assert (
        in_words(found)
        == "With suggestions shown, people answered as the model did 100 points more often (100 to 100)."
    )


def test_spans_overlap_by_the_characters_that_both_mark() -> None:
    assert width([(0, 4), (2, 6), (8, 9), (8, 9)]) == 7
    assert overlap_f1({(1, 0): [(0, 10)]}, {(1, 0): [(5, 10), (5, 15)]}) == pytest.approx(0.5)
    assert overlap_f1({(1, 0): [(0, 10)]}, {(2, 0): [(0, 10)]}) == 0
    assert overlap_f1({(1, 0): [(0, 10)]}, {}) == 0


def test_a_ranking_agrees_pair_by_pair(cast: Cast) -> None:
    project = with_help(cast.project, "shown", 0, TaskKind.RANKING)
    land(project, item("sky", "one", "two", "three"))
    say(project, Suggestion(item="sky", answer=Answer(ranks=[1, 2, 3])))
    desk = desk_of(project, annotator_for(cast.ann, project))
    task = assigning.next_shown(desk=desk)
    assert task is not None
    places = [int(place) for place in task.order.split(",")]
    ranks = [[1, 3, 2][place] for place in places]
    annotating.submit(
        desk=desk, task_id=task.task_id, commit=annotating.Commit("k", active_ms=5), more=Answer(ranks=ranks)
    )
    agreed = helping.effect(project).of("ranks")
    assert agreed and agreed.helped == pytest.approx(2 / 3)


# --- Reveals, reviews, people -----------------------------------------------------------------------------------------


def test_after_a_reveal_it_is_told_who_moved_and_which_way(cast: Cast) -> None:
    project = pairs(cast, 40, mode="reveal", holdout=0.25)
    annotator = annotator_for(cast.ann, project)
    moves = {"changed": 0, "towards": 0, "away": 0, "before": 0}
    for number in range(40):
        desk = desk_of(project, annotator)
        task = assigning.next_shown(desk=desk)
        assert task is not None
        help = suggesting.help_on(desk, task.task_id, answered=False)
        first, then = [(-1, 1), (1, -1), (1, 2), (-1, -1)][number % 4]
        submit(desk, task.task_id, first, 10_000)
        if help != "before":
            continue
        moves["before"] += 1
        submit(desk, task.task_id, then, 1_000, number=1)
        moves["changed"] += first != then
        moves["towards"] += (first, then) == (-1, 1)
        moves["away"] += (first, then) == (1, -1)
    found = helping.effect(project)
    assert found.revealed is not None and found.revealed.changed.n == moves["before"] == found.helped
    told = {name: getattr(found.revealed, name).count for name in ("changed", "towards", "away")}
    assert told == {name: moves[name] for name in told} and min(told.values()) > 0
    assert found.revealed.towards == wilson(moves["towards"], moves["before"])
    time = found.of("mean_time")
    assert time and (time.helped, time.held_out) == (11_000, 10_000)
    if found.enough:
        assert in_words(found).startswith("With suggestions revealed after the first answer, people needed")


def test_reviews_are_counted_in_all_and_by_person(cast: Cast) -> None:
    project = with_help(cast.project, "shown", 0, TaskKind.RESPONSE, critiques=CRITIQUES)
    land(project, item("sea", SEA), item("sky", f"{SEA} So is the sky."))
    spans = [(0, 3), (4, 7), (8, 10)]
    given = [Said(start=start, end=end, type="wrong", comment="No.") for start, end in spans]
    say(project, *(Suggestion(task=task.pk, answer=Answer(critiques=given)) for task in Task.objects.all()))
    for user, took in ((cast.ann, 300), (cast.bob, 1_500)):
        desk = desk_of(project, annotator_for(user, project))
        task = assigning.next_shown(desk=desk)
        assert task is not None
        [shown] = suggesting.for_screen(desk, task)
        reviewed = [
            Said(
                start=each["start"],
                end=each["end"],
                type="wrong",
                comment="No." if place != 1 else "Not so.",
                derived_from=each["id"],
                rejected=place == 2,
                review_ms=took,
            )
            for place, each in enumerate(shown["critiques"])
        ]
        annotating.submit(
            desk=desk, task_id=task.task_id, commit=annotating.Commit(str(user)), more=Answer(critiques=reviewed)
        )
    found = helping.effect(project)
    assert (found.reviews.accepted, found.reviews.edited, found.reviews.rejected) == (2, 2, 2)
    assert (found.reviews.accept_ms, found.reviews.quick_accepts) == (900, 0.5)
    ann, bob = found.people
    assert (ann.name, ann.answers, ann.time_percent) == ("ann", 1, None)
    assert (ann.reviews.accept_rate, ann.reviews.quick_accepts, bob.reviews.quick_accepts) == (1 / 3, 1, 0)
    shown = page(cast.rita, f"/projects/{project.slug}/help/")
    assert "Suggestions gone through" in shown and "900 ms" in shown and "By annotator" in shown


# --- Cost, page and API -----------------------------------------------------------------------------------------------


def test_the_cost_is_the_same_in_a_large_project(cast: Cast) -> None:
    project = pairs(cast, 30)
    counts = []
    for _ in range(2):
        work(cast.ann, project, honest(), most=10)
        with CaptureQueriesContext(
            connection,
        ) as caught:
            helping.effect(project)
        counts.append(len(caught))
    assert counts[0] == counts[1] <= 12
    with CaptureQueriesContext(connection) as caught:
        list(helping.with_help(project)[: helping.LATEST])
    if connection.vendor == "sqlite":
        [query] = caught.captured_queries
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = " ".join(str(row[-1]) for row in cursor.fetchall())
        assert "annotation_with_help" in plan and "TEMP B-TREE" not in plan, plan


def test_only_the_latest_answers_are_read(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    project = pairs(cast, 12)
    work(cast.ann, project, honest())
    monkeypatch.setattr(helping, "LATEST", 5)
    found = helping.effect(project)
    assert found.helped + found.held_out == 5


def test_the_project_page_loads_the_card_only_where_there_is_help(cast: Cast) -> None:
    address = f"/projects/{cast.project.slug}/"
    make_pairs(cast.project, 1)
    assert "Help of models" not in page(cast.rita, address)
    pairs(cast, 40)
    shown = page(cast.rita, address)
    assert f'hx-get="{address}help/" hx-trigger="load"' in shown
    assert "Help of models" not in page(cast.ann, address)
    work(cast.bob, cast.project, swayed())
    card = page(cast.rita, f"{address}help/")
    assert "<html" not in card and card.count('<svg class="plot__interval') == 3 and "As a table" in card
    titles = re.findall(r'aria-labelledby="(\S+) (\S+)"><title id="(\S+)">', card)
    assert titles and all(title == first and desc in card for title, desc, first in titles)
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script", card)


def test_the_card_stays_once_help_is_off(cast: Cast) -> None:
    project = pairs(cast, 2)
    work(cast.ann, project, honest())
    off = with_help(project, "off", 0.1)
    assert helping.concerns(off) and helping.effect(off).mode == "shown"


def test_the_api_gives_the_same_numbers(cast: Cast) -> None:
    project = pairs(cast, 40)
    work(cast.ann, project, swayed())
    told = calling(cast.rita).get(f"/api/v1/projects/{project.slug}/help")
    found = helping.effect(project)
    body = told.json()
    assert told.status_code == 200 and (body["helped"], body["held_out"]) == (found.helped, found.held_out)
    time = found.of("median_time")
    assert time and time.percent and body["comparisons"][0]["percent"]["low"] == time.percent.low
    assert body["people"][0]["name"] == "ann" and body["reviews"]["accepted"] == 0
    assert calling(cast.ann).get(f"/api/v1/projects/{project.slug}/help").status_code == 403
