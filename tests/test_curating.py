"""Curate: what curators propose, what people make of it, and what versions do with that."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from curation.errors import Conflict, Invalid
from curation.models import AuditEvent, DatasetVersion, Proposal, Run, Task
from curation.services import running, starting
from curation.services.curating import deciding, performing
from curation.services.curating.deciding import Wanted
from tests.cast import Cast, make_pairs
from tests.curations import curated, plant, started
from tests.planner import rows_known
from tests.test_decide import prefer
from tests.test_freezing import frozen, lines
from tests.test_rebuilding import checked
from workers.curating import Settings, curators


@pytest.fixture
def planted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Cast:
    return plant(cast, monkeypatch)


def told(run: Run) -> list[tuple[Any, ...]]:
    names = ("subject", "action", "score", "reason", "cause", "state", "item_id", "pair_id", "chosen_id", "rejected_id")
    return list(Proposal.objects.filter(run=run).order_by("pk").values_list(*names))


def test_a_run_writes_what_the_curator_proposes(planted: Cast) -> None:
    run = curated(planted)
    rows = told(run)
    assert len(rows) == 16 and {row[5] for row in rows} == {"open"}
    assert run.result["proposals"] == 16 and run.result["rows"] == 20
    assert run.result["states"] == {action: {"open": 4} for action in ("keep", "flip", "drop", "ask")}
    assert sum(map(sum, run.result["scores"]["bins"].values())) == 16
    task = Task.objects.order_by("pk").first()
    assert task is not None and task.pair is not None
    low, high = task.pair.first_id, task.pair.second_id
    assert rows[0][:6] == (f"pair:{low}:{high}", "keep", 0.0, "number 0", "planted keep", "open")
    assert rows[0][6:] == (task.pair.item_id, task.pair_id, low, high)


@pytest.mark.django_db(transaction=True)
def test_the_planner_is_told_of_many_proposals(planted: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a version that follows at once looks through all of them for each piece of it."""
    monkeypatch.setattr(performing, "AT_ONCE", 10)
    curated(planted)
    assert rows_known(Proposal) == 16


def test_a_killed_run_leaves_the_same_rows(planted: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = curated(planted)
    monkeypatch.setattr(performing, "AT_ONCE", 3)
    run = started(planted)
    kept, calls = performing.keep, []

    def falling(report: Any, made: Any, at: Any) -> None:
        calls.append(len(made))
        if len(calls) == 3:
            raise running.LostLease
        kept(report, made, at)

    monkeypatch.setattr(performing, "keep", falling)
    running.execute(str(run.pk))
    assert Proposal.objects.filter(run=run).count() == 6
    prefer(planted.project, "bob", make_pairs(planted.project, 1)[0], 1)  # what comes meanwhile is not read
    Run.objects.filter(pk=run.pk).update(state="queued", holder="")
    monkeypatch.setattr(performing, "keep", kept)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    assert told(run) == told(whole) and run.result == whole.result


def test_one_is_accepted_and_another_refused(planted: Cast) -> None:
    run, olga = curated(planted), planted.people["olga"]
    first, second = Proposal.objects.filter(run=run, action="flip").order_by("pk")[:2]
    assert deciding.accept(run, Wanted(ids=[first.pk]), user=olga) == 1
    assert deciding.accept(run, Wanted(ids=[first.pk]), user=olga) == 0
    assert deciding.refuse(run, Wanted(ids=[second.pk]), user=olga) == 1
    first.refresh_from_db()
    assert (first.state, first.decided_by) == ("accepted", olga) and first.decided_at
    run.refresh_from_db()
    assert run.result["states"]["flip"] == {"open": 2, "accepted": 1, "refused": 1}
    assert deciding.reopen(run, Wanted(ids=[first.pk]), user=olga) == 1
    first.refresh_from_db()
    assert (first.state, first.decided_by, first.decided_at) == ("open", None, None)
    acts = AuditEvent.objects.filter(act="proposals.decided").order_by("pk")
    assert [(act.details["to"], act.details["ids"]) for act in acts] == [
        ("accepted", [first.pk]), ("refused", [second.pk]), ("open", [first.pk]),
    ]  # fmt: skip


def test_all_that_match_are_decided_at_once_but_those_that_somebody_decided(planted: Cast) -> None:
    run, olga = curated(planted), planted.people["olga"]
    refused = Proposal.objects.filter(run=run, action="drop").order_by("score").last()
    assert refused is not None
    deciding.refuse(run, Wanted(ids=[refused.pk]), user=olga)
    assert deciding.accept(run, Wanted(action="drop", low=0.3), user=olga) == 2
    assert run.result["states"]["drop"] == {"open": 1, "accepted": 2, "refused": 1}
    assert deciding.accept(run, Wanted(), user=olga) == 13
    with pytest.raises(Invalid, match="one of: keep"):
        deciding.accept(run, Wanted(action="burn"), user=olga)
    with pytest.raises(Invalid, match="above the upper end"):
        deciding.accept(run, Wanted(low=1, high=0), user=olga)


def test_what_is_asked_again_is_open_for_one_answer_more(planted: Cast) -> None:
    Task.objects.all().update(state="complete", done=1, taken=1)
    run = curated(planted)
    assert deciding.accept(run, Wanted(action="ask"), user=planted.people["olga"]) == 4
    again = Task.objects.filter(state="open")
    assert {(task.overlap, task.done) for task in again} == {(2, 1)}
    assert {task.pair_id for task in again} == set(
        Proposal.objects.filter(run=run, action="ask").values_list("pair_id", flat=True)
    )
    assert deciding.accept(run, Wanted(action="ask"), user=planted.people["olga"]) == 0


def test_a_run_that_accepts_everything_at_once(planted: Cast) -> None:
    Task.objects.all().update(state="complete", done=1, taken=1)
    run = curated(planted, accept=True)
    assert run.result["states"]["flip"] == {"accepted": 4}
    assert set(Proposal.objects.filter(run=run).values_list("decided_by__username", flat=True)) == {"olga"}
    assert Task.objects.filter(state="open").count() == 4


def test_a_version_follows_what_was_accepted(planted: Cast) -> None:
    run, olga = curated(planted), planted.people["olga"]
    plain = frozen(planted)
    deciding.accept(run, Wanted(), user=olga)
    version = frozen(planted, filters={"curated": [str(run.pk)]})
    assert version.counts["total"] == 16 and version.counts["dropped"] == {"curated: planted drop": 4}
    assert "curated: planted drop" in version.card.replace("\\", "")
    before = {row["pair"]: row for row in lines(plain, "lineage")}
    flipped = [row for row in lines(version, "lineage") if row["flipped"]]
    assert len(flipped) == 4 and "flipped" not in before[flipped[0]["pair"]]
    for row in flipped:
        was = before[row["pair"]]
        assert (row["chosen"], row["rejected"], row["value"]) == (was["rejected"], was["chosen"], -was["value"])
    texts = {row["row"]: row for row in lines(version, "lineage")}
    for number, row in enumerate(lines(version, "train")):
        item = texts[number]["item"].removeprefix("item-")
        want = 1 if texts[number]["flipped"] else 0
        assert row["chosen"][-1]["content"] == f"Answer {want} to {item}"
    kept = lines(version, "proposals")
    assert len(kept) == 16 and {row["decided_by"] for row in kept} == {olga.pk}
    assert (kept[0]["curator"], kept[0]["run"], kept[0]["reason"]) == ("planted", str(run.pk), "number 0")


def test_what_is_decided_later_changes_no_version(planted: Cast) -> None:
    run, olga = curated(planted), planted.people["olga"]
    deciding.accept(run, Wanted(action="drop"), user=olga)
    version = frozen(planted, filters={"curated": [str(run.pk)]})
    with pytest.raises(Conflict, match="prefs v1 follows"):
        deciding.refuse(run, Wanted(action="drop", state="accepted"), user=olga)
    assert deciding.accept(run, Wanted(action="flip"), user=olga) == 4
    flip = Proposal.objects.filter(run=run, action="flip").first()
    assert flip is not None and deciding.refuse(run, Wanted(ids=[flip.pk]), user=olga) == 1
    assert checked(planted, version)["same"] is True
    later = frozen(planted, filters={"curated": [str(run.pk)]})
    assert sum(row["flipped"] for row in lines(later, "lineage")) == 3
    assert DatasetVersion.objects.get(pk=version.pk).hash == version.hash != later.hash


def test_what_people_settled_is_not_flipped(planted: Cast) -> None:
    from curation.services import fits

    run = curated(planted)
    deciding.accept(run, Wanted(action="flip"), user=planted.people["olga"])
    flips = Proposal.objects.filter(run=run, action="flip").order_by("pk")
    task = Task.objects.get(pair=flips[0].pair_id)
    fits.settle(task, kind="axis", name="overall", outcome="first", how="adjudicated", value=-1.0)
    other = Task.objects.get(pair=flips[1].pair_id)
    prefer(planted.project, "bob", other, 3)
    prefer(planted.project, "rita", other, 3)  # the label is what the flip would make of it: nothing to do
    version = frozen(planted, filters={"curated": [str(run.pk)]})
    rows = {row["pair"]: row for row in lines(version, "lineage")}
    assert sum(row["flipped"] for row in rows.values()) == 2
    assert rows[task.pair_id]["chosen"] == flips[0].chosen_id and not rows[task.pair_id]["flipped"]
    assert rows[other.pair_id]["chosen"] == flips[1].rejected_id and not rows[other.pair_id]["flipped"]


def test_drops_hold_for_targets_of_single_answers_too(planted: Cast) -> None:
    run = curated(planted)
    deciding.accept(run, Wanted(), user=planted.people["olga"])
    version = frozen(planted, target="annotations", filters={"curated": [str(run.pk)]})
    assert version.counts["total"] == 16 and not any(row["flipped"] for row in lines(version, "lineage"))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"curator": "none"}, "no curator 'none'"),
        ({"curator": "agreement", "settings": {"least": 2}}, "less than or equal to 1"),
        ({"curator": "agreement", "settings": {"most": 2}}, "agreement knows: least, votes, ask_below"),
        ({"curator": "agreement", "decided_by": "in-use"}, "no fit is in use"),
    ],
)
def test_wrong_parameters_are_named(cast: Cast, params: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        starting.start(project=cast.project, method="curate", params=params, user=None)


def test_a_version_follows_only_runs_with_proposals_on_its_axis(planted: Cast) -> None:
    run = curated(planted)
    for given, words in ((["nothing"], "no finished run"), ([str(uuid4())], "no finished run")):
        with pytest.raises(Invalid, match=words):
            frozen(planted, filters={"curated": given})
    with pytest.raises(Invalid, match="exclude each other"):
        frozen(planted, filters={"curated": [str(run.pk)], "labels": "raw"})
    Run.objects.filter(pk=run.pk).update(params={**run.params, "axis": "safety"})
    with pytest.raises(Invalid, match="looked at the axis safety"):
        frozen(planted, filters={"curated": [str(run.pk)]})


def test_every_curator_says_what_it_is() -> None:
    for one in curators:
        assert one.title and one.about and issubclass(one.params, Settings), one.name
        for name, field in one.params.model_fields.items():
            assert field.description, (one.name, name)
