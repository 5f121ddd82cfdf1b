"""Wrong traces are exported with the reasons against them, those of which neither was good too."""

from __future__ import annotations

from typing import Any

import pytest

from curation.models import Annotation, Critique, Verdict
from tests.cast import Cast, make_pairs
from tests.curations import curated, plant
from tests.test_decide import prefer
from tests.test_freezing import frozen, lines
from tests.test_rebuilding import checked
from workers.paired import pairs_in
from workers.writers import targets


def told(cast: Cast) -> list[dict[str, Any]]:
    return lines(frozen(cast, target="redi"), "train")


def test_every_rejected_trace_comes_with_what_was_said_of_it(cast: Cast) -> None:
    better, other, plain = make_pairs(cast.project, 3)
    prefer(cast.project, "ann", better, -2, rationale="the second one forgets the carry")
    prefer(cast.project, "ann", other, 3)
    prefer(cast.project, "ann", plain, 1)
    first, second = Annotation.objects.order_by("pk")[:2]
    assert better.pair is not None and other.pair is not None
    wrong, right, lost = better.pair.second, better.pair.first, other.pair.first
    Verdict.objects.create(annotation=first, response=wrong, question="correct", answer=False, comment="17 + 5 is 22")
    Verdict.objects.create(annotation=first, response=right, question="correct", answer=True)
    Verdict.objects.create(annotation=second, response=lost, question="error_types", answer=["units", "sign"])
    of_lost = {"annotation": second, "response": lost}
    Critique.objects.create(
        **of_lost, type="wrong", severity="major", start=0, end=6, quote="Answer", comment="no", edit="22"
    )
    Critique.objects.create(**of_lost, comment="clear", polarity=1)
    Critique.objects.create(**of_lost, comment="not so", review="rejected")
    rows = told(cast)
    assert [row["reasons"] for row in rows] == [
        ["correct: no: 17 + 5 is 22", "the second one forgets the carry"],
        ["error_types: units, sign", "wrong, major: “Answer” → 22: no"],
        [],
    ]
    assert (rows[0]["chosen_model"], rows[0]["rejected_model"]) == ("m0", "m1")


def test_of_a_pair_of_which_both_are_bad_both_are_kept(cast: Cast) -> None:
    bad, good = make_pairs(cast.project, 2)
    prefer(cast.project, "ann", bad, None, rationale="neither answers")
    prefer(cast.project, "ann", good, 1)
    version = frozen(cast, target="redi")
    rows, traces = lines(version, "train"), lines(version, "lineage")
    assert [(row["chosen"] == [], row["rejected"][0]["content"], row["reasons"]) for row in rows] == [
        (True, "Answer 0 to 0", ["neither answers"]),
        (True, "Answer 1 to 0", ["neither answers"]),
        (False, "Answer 0 to 1", []),
    ]
    assert bad.pair is not None
    assert [(one["chosen"], one["rejected"]) for one in traces[:2]] == [
        (None, bad.pair.first_id), (None, bad.pair.second_id),
    ]  # fmt: skip
    assert version.counts["dropped"] == {} and checked(cast, version)["same"]
    plain = frozen(cast)
    assert plain.counts["dropped"] == {"both bad": 1} and plain.counts["total"] == 1


def test_what_others_said_is_no_reason(cast: Cast) -> None:
    """Only answers that the version reads speak: those of models are not among them unless it is asked for."""
    (task,) = make_pairs(cast.project, 1)
    prefer(cast.project, "ann", task, 1)
    prefer(cast.project, "judge", task, 1, kind="model", rationale="a model's words")
    assert told(cast)[0]["reasons"] == []
    everybody = frozen(cast, target="redi", filters={"annotators": "all"})
    assert lines(everybody, "train")[0]["reasons"] == ["a model's words"]


def test_a_label_that_a_curator_turned_says_so(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    run = curated(plant(cast, monkeypatch), accept=True)
    version = frozen(cast, target="redi", filters={"curated": [str(run.pk)]})
    turned = {trace["row"] for trace in lines(version, "lineage") if trace["flipped"]}
    rows = lines(version, "train")
    assert len(turned) == 4
    assert {n for n, row in enumerate(rows) if row["reasons"] == ["turned: planted flip"]} == turned
    assert all(row["chosen"][0]["content"].startswith("Answer 1") == (n in turned) for n, row in enumerate(rows))


def test_the_trainer_reads_rows_with_both_and_leaves_the_others(tmp_path: Any) -> None:
    ask = [{"role": "user", "content": "2 + 2"}]
    said = [[{"role": "assistant", "content": text}] for text in ("4", "5", "6")]
    rows = [
        {"id": "q", "prompt": ask, "chosen": said[0], "rejected": said[1], "reasons": ["no"]},
        {"id": "q", "prompt": ask, "chosen": [], "rejected": said[2], "reasons": []},
    ]
    job = Rows(rows)
    assert [(one.row, one.chosen, one.rejected) for one in pairs_in(job, "train")] == [(0, said[0], said[1])]  # type: ignore[arg-type]
    assert "redi" in [one.name for one in targets]


class Rows:
    """As much of a job as is read of it."""

    target = "redi"

    def __init__(self, given: list[dict[str, Any]]) -> None:
        self.given = given

    def rows(self, _split: str) -> list[dict[str, Any]]:
        return self.given

    def rows_in(self, _name: str) -> list[dict[str, Any]]:
        return []
