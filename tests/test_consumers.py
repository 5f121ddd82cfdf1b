"""A version is read by its consumers before it is offered: the real ones, and what happens when one refuses."""

from __future__ import annotations

from typing import Any

import pytest

from curation.models import DatasetVersion, Response
from curation.services import freezing, running
from curation.services.freezing import making
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.test_freezing import answer_all


def made(cast: Cast, **selection: Any) -> DatasetVersion:
    version = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga, **selection)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    return version


def said(version: DatasetVersion) -> dict[str, Any]:
    return {one["consumer"]: one["ok"] for one in version.checks}


@pytest.mark.training
@pytest.mark.parametrize(
    ("target", "asked"),
    [
        ("trl-preference", {"datasets", "trl-dpo", "trl-reward", "touchstone"}),
        ("trl-sft", {"datasets", "trl-sft"}),
    ],
)
def test_the_consumers_themselves_read_it(cast: Cast, settings: Any, target: str, asked: set[str]) -> None:
    settings.CONSUMERS = "all"
    make_pairs(cast.project, 12)
    answer_all(cast, "ann", *[(-1, 1, 2)[n % 3] for n in range(12)])
    version = made(cast, target=target, splits={"train": 0.7, "test": 0.3})
    assert version.state == "ready", version.run and version.run.error
    assert said(version) == dict.fromkeys([*sorted(asked), "rules", "lineage"], True) | {"rules": True}
    told = {one["consumer"]: one for one in version.checks}
    assert told["datasets"]["version"].startswith("datasets ") and "12 rows" in told["datasets"]["detail"]
    assert (
        "datasets" in version.card
        and calling(cast.vic).get(f"/api/v1/projects/{cast.project.slug}/datasets/prefs/versions/1").json()["checks"]
        == version.checks
    )


@pytest.mark.training
def test_unpaired_rows_are_read_by_kto(cast: Cast, settings: Any) -> None:
    from curation.services.answering import Answer
    from tests.critics import CORRECT, item, responses, say, yes

    settings.CONSUMERS = "all"
    project = responses(cast, *[item(f"q{n}", f"Text {n}.") for n in range(4)], questions=[CORRECT])
    for n in range(4):
        say(cast, "ann", Answer(verdicts=[yes(answer=n % 2 == 0)]))
    version = freezing.request_version(project=project, dataset_name="x", target="trl-unpaired", user=cast.olga)
    running.execute(str(version.run_id))
    version.refresh_from_db()
    assert version.state == "ready" and said(version)["trl-kto"] is True, version.run and version.run.error


def test_what_is_not_asked_is_told(cast: Cast) -> None:
    make_pairs(cast.project, 1)
    answer_all(cast, "ann", 1)
    version = made(cast)
    assert said(version) == {
        "rules": True, "touchstone": True, "lineage": True, "datasets": None, "trl-dpo": None, "trl-reward": None,
    }  # fmt: skip
    assert "not asked" in version.card


def test_a_version_that_a_consumer_refuses_is_not_offered(cast: Cast, monkeypatch: Any) -> None:
    """An adapter with a fault: it repeats the prompt in the response."""
    from dataclasses import replace

    from workers.writers import targets

    make_pairs(cast.project, 3)
    answer_all(cast, "ann", 1, 1, -1)
    faulty = replace(
        targets.get("trl-preference"),
        row=lambda d: {"prompt": d.prompt, "chosen": d.prompt + d.chosen, "rejected": d.rejected},
    )
    monkeypatch.setitem(targets._methods, "trl-preference", faulty)
    version = made(cast)
    assert version.state == "failed" and version.run is not None
    assert "rules would not read them: train.jsonl, row 0, chosen: begins with user" in version.run.error
    assert not version.folder.exists()


def test_swapped_sides_are_found_against_the_database(cast: Cast, monkeypatch: Any) -> None:
    """A file alone cannot tell that chosen and rejected changed places; the lineage can."""
    from dataclasses import replace

    from workers.writers import targets

    make_pairs(cast.project, 3)
    answer_all(cast, "ann", 1, 1, -1)
    for name in ("trl-preference", "trl-preference-implicit", "rewardbench", "openrlhf"):
        right = targets.get(name)

        def swapped(d: Any, right: Any = right) -> Any:
            return right.row(replace(d, chosen=d.rejected, rejected=d.chosen))

        monkeypatch.setitem(targets._methods, name, replace(right, row=swapped))
        version = made(cast, target=name)
        assert version.state == "failed" and version.run is not None
        assert "is not the response that was decided to be chosen" in version.run.error


def test_raw_answers_travel_along_or_nothing_does(cast: Cast, monkeypatch: Any) -> None:
    make_pairs(cast.project, 2)
    answer_all(cast, "ann", 1, -1)
    real = making.write_companions

    def lossy(version: Any, building: Any, digests: Any) -> Any:
        counts = real(version, building, digests)
        (building / "annotations.parquet").unlink()
        return counts

    monkeypatch.setattr(making, "write_companions", lossy)
    version = made(cast)
    assert version.state == "failed" and version.run and "raw answers are missing" in version.run.error


def test_a_response_of_several_messages_is_held_against_the_database(cast: Cast) -> None:
    (item, *_) = [pair.item for pair in make_pairs(cast.project, 1)]
    turns = [
        {"role": "assistant", "content": "Hm."},
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": "A."},
    ]
    Response.objects.filter(item=item, position=0).update(messages=turns)
    answer_all(cast, "ann", -1)
    assert made(cast).state == "ready"
    assert made(cast, target="trl-preference-implicit").state == "ready"
