"""Labels decided by a fit: the run, what it leaves when it is killed, which fit is in use, and versions by it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from curation.access import annotator_for
from curation.errors import Invalid
from curation.models import (
    Annotation,
    Annotator,
    Decision,
    Preference,
    Project,
    Rank,
    Reliability,
    Response,
    Run,
    Task,
    Verdict,
)
from curation.models import Critique as CritiqueRow
from curation.services import deciding, fits, running, starting
from curation.services.aggregating import performing, showing
from curation.services.deciding import Filters
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.planner import rows_known
from tests.test_freezing import frozen, lines
from tests.test_rebuilding import checked

GOOD, CARELESS = ("p0", "p1", "p2"), ("p3", "p4")


def annotator(project: Project, name: str, kind: str = "person") -> Annotator:
    return Annotator.objects.get_or_create(project=project, kind=kind, name=name)[0]


def said(project: Project, name: str, task: Task, key: str = "", kind: str = "person", **more: Any) -> Annotation:
    return Annotation.objects.create(
        project=project,
        task=task,
        annotator=annotator(project, name, kind),
        protocol=project.protocol,
        event="answer",
        source="api",
        idempotency_key=f"{key}{name}{task.pk}",
        **more,
    )


def prefer(project: Project, name: str, task: Task, value: int | None, axis: str = "overall", **more: Any) -> None:
    made = said(project, name, task, axis, **more)
    Preference.objects.create(annotation=made, axis=axis, value=value, both_bad=value is None)


def answered(cast: Cast, count: int = 40, seed: int = 1) -> dict[int, int]:
    """Pairs that three good annotators and two who all but always say "first" answered; the truth by task."""
    chance = Random(seed)
    truth = {}
    for task in make_pairs(cast.project, count):
        truth[task.pk] = chance.choice((-1, 1))
        for name in GOOD:
            prefer(cast.project, name, task, truth[task.pk] * (1 if chance.random() < 0.92 else -1), order="ab")
        for name in CARELESS:
            prefer(cast.project, name, task, -1 if chance.random() < 0.95 else 1, order="ba")
    return truth


def fit(project: Project, method: str = "dawid_skene", **params: Any) -> Run:
    run = starting.start(project=project, method="decide", params={"method": method, **params}, user=None)
    running.execute(str(run.pk))
    run.refresh_from_db()
    project.refresh_from_db()
    return run


def rows(run: Run) -> list[tuple[Any, ...]]:
    names = ("task_id", "place", "outcome", "value", "confidence", "votes", "how", "annotations")
    return list(Decision.objects.filter(run=run).order_by("task_id", "place").values_list(*names))


def test_a_fit_decides_every_pair_and_says_who_is_reliable(cast: Cast) -> None:
    truth = answered(cast)
    run = fit(cast.project)
    assert run.state == "succeeded", run.error
    decided = {row.task_id: row for row in Decision.objects.filter(run=run)}
    right = [(decided[task].value > 0) == (side > 0) for task, side in truth.items()]
    counted = deciding.decisions(cast.project, Filters())
    plain = [(one.value or 0) * truth[one.task_id] > 0 for one in counted]
    assert sum(right) >= max(37, sum(plain))
    one = decided[min(truth)]
    assert (one.kind, one.name, one.place, one.votes, len(one.annotations)) == ("axis", "overall", "axis:overall", 5, 5)
    told = {row.annotator.name: row for row in Reliability.objects.filter(run=run, kind="axis")}
    for good in GOOD:
        for careless in CARELESS:
            assert told[good].value > told[careless].value + 0.15
    assert told["p0"].low < told["p0"].value < told["p0"].high and told["p0"].n == 40
    assert told["p0"].confusion["labels"] == ["first", "second", "tie", "both_bad"]
    assert run.result["decisions"] == 40 and sum(run.result["sections"][0]["bins"]) == 40
    told["p0"].value, told["p0"].high = 0.0, 1.0  # as by a single answer that the others contradict
    told["p0"].save()
    shown = [row.annotator.name for row in showing.people(run, "axis", "overall")]
    assert all(shown.index(careless) < shown.index("p0") for careless in CARELESS), "who is surely low comes first"


@pytest.mark.parametrize("method", ["majority", "dawid_skene", "noisy_bt"])
def test_a_killed_run_leaves_the_same_rows(cast: Cast, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(cast, 30)
    whole = fit(cast.project, method)
    monkeypatch.setattr(performing, "AT_ONCE", 7)
    run = starting.start(project=cast.project, method="decide", params={"method": method}, user=None)
    for pieces in (2, 1):
        dying(run, pieces, monkeypatch)
        assert 0 < Decision.objects.filter(run=run).count() < 30
        assert not Reliability.objects.filter(run=run).exists()
        prefer(cast.project, f"late{pieces}", Task.objects.order_by("pk")[0], 1)  # came after it began
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    assert rows(run) == rows(whole) and run.result == whole.result
    people = [
        list(
            Reliability.objects.filter(run=one)
            .order_by("annotator_id", "kind")
            .values_list("annotator_id", "kind", "value", "n")
        )
        for one in (run, whole)
    ]
    assert people[0] == people[1] and len(people[0]) == 10


class Killed(BaseException):
    """As a worker that is shot: nothing behind it is done."""


@pytest.mark.django_db(transaction=True)
def test_the_planner_is_told_of_many_decisions(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(cast)
    monkeypatch.setattr(performing, "AT_ONCE", 7)
    fit(cast.project)
    assert rows_known(Decision) == 40


def dying(run: Run, pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the run and die after so many pieces were written."""
    left = [pieces]
    bulk_create = Decision.objects.bulk_create

    def create(*given: Any, **named: Any) -> Any:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return bulk_create(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Decision.objects, "bulk_create", create)
        with pytest.raises(Killed):
            running.execute(str(run.pk))
    Run.objects.filter(pk=run.pk).update(lease_until="2020-01-01T00:00:00Z")


def test_models_are_annotators_in_the_same_fit_where_asked(cast: Cast) -> None:
    for task in make_pairs(cast.project, 6):
        prefer(cast.project, "p0", task, 1)
        prefer(cast.project, "judge", task, -1, kind="model")
        prefer(cast.project, "tests", task, -1, kind="program")
    alone, together = fit(cast.project, "majority"), fit(cast.project, "majority", annotators="all")
    assert {row.outcome for row in Decision.objects.filter(run=alone)} == {"second"}
    assert {row.outcome for row in Decision.objects.filter(run=together)} == {"first"}
    kinds = Reliability.objects.filter(run=together, kind="").values_list("annotator__kind", flat=True)
    assert sorted(kinds) == ["model", "person", "program"]


def test_rankings_questions_and_spans_are_decided_too(cast: Cast) -> None:
    project = cast.project
    protocol = project.protocol
    protocol.questions = [
        {"name": "correct", "question": "Correct?", "kind": "yesno"},
        {"name": "grade", "question": "How good?", "kind": "rating", "low": 1, "high": 5},
        {"name": "why", "question": "Why?", "kind": "text"},
    ]
    protocol.critiques = {"on": True, "types": [{"name": "fact"}], "severities": [{"name": "major"}]}
    protocol.save()
    task = make_pairs(project, 1)[0]
    first = task.pair.first
    for n, (name, correct, grade) in enumerate((("p0", True, 2), ("p1", True, 3), ("p2", False, 5))):
        made = said(project, name, task)
        Preference.objects.create(annotation=made, axis="overall", value=1)
        for question, answer in (("correct", correct), ("grade", grade), ("why", "so")):
            Verdict.objects.create(annotation=made, response=first, question=question, answer=answer)
        CritiqueRow.objects.create(
            annotation=made, response=first, start=n, end=5, quote="", type="fact", severity="major", polarity=-1
        )
    run = fit(project, "majority")
    assert run.state == "succeeded", run.error
    found = {row.kind + row.name: row for row in Decision.objects.filter(run=run)}
    assert set(found) == {"axisoverall", "questioncorrect", "questiongrade", "span"}
    assert (found["questioncorrect"].answer, found["questioncorrect"].confidence) == (True, pytest.approx(2 / 3))
    assert (found["questiongrade"].answer, found["questiongrade"].how) == (3, "settled")
    span = found["span"]
    assert (span.start, span.end, span.outcome, span.response_id) == (1, 5, "fact", first.pk)
    assert span.answer == {"severity": "major", "polarity": -1} and span.how == "span_vote"
    only = fit(project, "majority", axis="overall")
    assert {row.kind for row in Decision.objects.filter(run=only)} == {"axis"}


def test_a_ranking_is_decided_for_each_two_responses(cast: Cast) -> None:
    project = cast.project
    project.kind = "ranking"
    project.save()
    item = make_pairs(project, 1)[0].pair.item
    third = Response.objects.create(item=item, position=2, text="Third", text_hash="3")
    task = Task.objects.create(project=project, kind="ranking", item=item, position=1)
    responses = [*item.responses.order_by("pk")]
    for name, places in (("p0", (1, 2, 3)), ("p1", (1, 2, 2)), ("p2", (2, 1, 3))):
        made = said(project, name, task)
        for response, rank in zip(responses, places, strict=True):
            Rank.objects.create(annotation=made, response=response, rank=rank)
    run = fit(project, "noisy_bt")
    assert run.state == "succeeded", run.error
    found = {(row.first_id, row.second_id): row for row in Decision.objects.filter(run=run)}
    assert len(found) == 3 and found[responses[0].pk, third.pk].outcome == "first"
    told = deciding.decisions(project, Filters(decided_by=str(run.pk)))
    assert [one.responses for one in told] == sorted(found)


# --- In use -----------------------------------------------------------------------------------------


def test_a_manager_puts_a_fit_in_use_and_later_ones_like_it_follow(cast: Cast) -> None:
    answered(cast, 10)
    first = fit(cast.project)
    assert cast.project.fit_id is None and not Annotator.objects.exclude(reliability=None).exists()
    manager, reader = calling(cast.mia), calling(cast.rita)
    at = f"/api/v1/projects/{cast.project.slug}"
    assert reader.put(f"{at}/fit", {"run": str(first.pk)}, format="json").status_code == 403
    assert manager.put(f"{at}/fit", {"run": str(first.pk)}, format="json").json() == {"run": str(first.pk)}
    told = dict(Reliability.objects.filter(run=first, kind="").values_list("annotator__name", "value"))
    assert dict(Annotator.objects.exclude(reliability=None).values_list("name", "reliability")) == told
    other = fit(cast.project, "majority")
    assert cast.project.fit_id == first.pk
    second = fit(cast.project)
    assert cast.project.fit_id == second.pk != other.pk
    assert manager.put(f"{at}/fit", {"run": None}, format="json").json() == {"run": None}
    assert not Annotator.objects.exclude(reliability=None).exists()
    assert manager.put(f"{at}/fit", {"run": str(cast.project.pk)}, format="json").status_code == 400


def test_the_api_tells_what_a_fit_decided_and_of_whom(cast: Cast) -> None:
    answered(cast, 5)
    run = fit(cast.project)
    reader, at = calling(cast.rita), f"/api/v1/projects/{cast.project.slug}"
    majority = reader.get(f"{at}/decisions").json()["results"]
    assert {row["how"] for row in majority} == {"majority"} and {row["run"] for row in majority} == {None}
    page = reader.get(f"{at}/decisions?run={run.pk}&limit=3").json()
    rest = reader.get(f"{at}/decisions?run={run.pk}&cursor={page['next']}").json()
    found = page["results"] + rest["results"]
    assert [row["task"] for row in found] == [row["task"] for row in majority] and rest["next"] is None
    assert {(row["how"], row["run"], row["kind"]) for row in found} == {("dawid_skene", str(run.pk), "axis")}
    people = reader.get(f"{at}/reliabilities?run={run.pk}").json()["results"]
    assert {row["annotator"] for row in people} == {*GOOD, *CARELESS}
    assert reader.get(f"{at}/reliabilities").json()["errors"][0]["field"] == "run"
    assert reader.get(f"{at}/decisions?run=nonsense").status_code in (400, 422)


# --- Versions ---------------------------------------------------------------------------------------


def test_a_version_is_decided_by_a_fit_and_can_be_made_again(cast: Cast) -> None:
    truth = answered(cast, 12)
    run = fit(cast.project)
    fits.use(cast.project, run)
    version = frozen(cast, filters={"decided_by": "in-use", "min_confidence": 0.6})
    assert version.state == "ready" and version.filters["decided_by"] == str(run.pk)
    decided = {row.task_id: row for row in Decision.objects.filter(run=run)}
    kept = {pk for pk, row in decided.items() if row.confidence >= 0.6}
    traces = lines(version, "lineage")
    assert {trace["task"] for trace in traces} == kept and len(kept) > 8
    assert {trace["how"] for trace in traces} == {f"dawid_skene@{run.pk}"}
    assert f"decided by Dawid–Skene (run `{run.pk}`" in version.card
    for task in truth:
        prefer(cast.project, "later", Task.objects.get(pk=task), 3)
    again = fit(cast.project)
    assert cast.project.fit_id == again.pk != run.pk
    assert checked(cast, version)["same"]


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"decided_by": "in-use"}, "filters.decided_by"),
        ({"decided_by": "00000000-0000-0000-0000-000000000000"}, "filters.decided_by"),
        ({"decided_by": "FIT", "names": ["p0"]}, "filters"),
        ({"decided_by": "FIT", "labels": "raw"}, "filters"),
        ({"decided_by": "FIT", "annotators": "all"}, "filters.annotators"),
        ({"reliable": {"run": "in-use", "min": 0.5}}, "filters.reliable.run"),
    ],
)
def test_what_does_not_go_with_a_fit_is_named(cast: Cast, filters: dict[str, Any], field: str) -> None:
    answered(cast, 3)
    run = fit(cast.project, "majority")
    given = {name: str(run.pk) if value == "FIT" else value for name, value in filters.items()}
    with pytest.raises(Invalid) as told:
        frozen(cast, filters=given)
    assert told.value.field == field


def test_only_the_answers_of_reliable_annotators(cast: Cast) -> None:
    answered(cast, 30)
    run = fit(cast.project)
    low = max(
        Reliability.objects.filter(run=run, kind="", annotator__name__in=CARELESS).values_list("value", flat=True)
    )
    version = frozen(cast, filters={"reliable": {"run": str(run.pk), "min": low + 0.01}})
    assert {trace["votes"] for trace in lines(version, "lineage")} == {3}
    fit(cast.project)
    assert checked(cast, version)["same"]
    raw = frozen(cast, target="annotations", filters={"reliable": {"run": str(run.pk), "min": low + 0.01}})
    assert {row["annotator"] for row in lines(raw, "lineage")} == set(GOOD)


def test_what_people_settled_goes_before_majority_and_fit(cast: Cast) -> None:
    answered(cast, 4)
    unanswered = make_pairs(cast.project, 1)[0]
    run = fit(cast.project, "majority")
    before = frozen(cast)
    tasks = list(Task.objects.order_by("pk"))
    said = {"kind": "axis", "name": "overall", "how": "adjudicated", "made_by": cast.rita}
    was = {one.task_id: one.outcome for one in deciding.decisions(cast.project, Filters())}
    other = "second" if was[tasks[1].pk] == "first" else "first"
    fits.settle(tasks[1], outcome="tie", **said)
    fits.settle(tasks[1], outcome=other, value=-2 if other == "first" else 2, **said)
    fits.settle(unanswered, outcome="first", value=-1, **{**said, "how": "gold"})
    for by in ("majority", str(run.pk)):
        found = {one.task_id: one for one in deciding.decisions(cast.project, Filters(decided_by=by))}
        assert (found[tasks[1].pk].outcome, found[tasks[1].pk].how) == (other, "adjudicated")
        assert (found[unanswered.pk].outcome, found[unanswered.pk].how) == ("first", "gold")
        assert found[tasks[0].pk].how != "adjudicated" and list(found) == sorted(found)
    after = frozen(cast)
    assert after.counts["total"] == before.counts["total"] + 1
    assert {"majority", "adjudicated", "gold"} == {trace["how"] for trace in lines(after, "lineage")}
    fits.settle(tasks[1], outcome="", **said)
    found = {one.task_id: one for one in deciding.decisions(cast.project, Filters())}
    assert found[tasks[1].pk].outcome == was[tasks[1].pk]
    assert checked(cast, before)["same"] and checked(cast, after)["same"]
    only = {one.task_id: one for one in deciding.decisions(cast.project, Filters(names=["p0"]))}
    assert unanswered.pk not in only


# --- Pages ------------------------------------------------------------------------------------------


def test_where_two_fits_differ(cast: Cast) -> None:
    answered(cast, 30)
    one, other = fit(cast.project, "majority"), fit(cast.project)
    found = showing.differences(one, other, 0)
    mine, theirs = ({row[0]: row[2] for row in rows(run)} for run in (one, other))
    assert {row.one.task_id for row in found.rows} == {pk for pk in mine if mine[pk] != theirs[pk]} != set()
    assert found.looked == 30 and found.next is None
    assert annotator_for(cast.rita, cast.project).reliability is None
