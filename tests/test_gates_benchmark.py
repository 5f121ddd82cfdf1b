"""The benchmark of gates: what is planted is there, floors count it, rows by COPY have the database's defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import gates, gates_data
from curation.models import Item, Response
from tests.cast import Cast

GUARDED = [" ".join(f"protected{n}x{'abcdefghij'[m % 10]}" for m in range(40)) for n in range(5)]


@pytest.fixture
def made() -> list[gates_data.Made]:
    return list(gates_data.pairs(600, [text.replace("protected", "guarded ") for text in GUARDED], seed=1))


def test_planted_pairs_say_what_a_pair_before_them_says(made: list[gates_data.Made]) -> None:
    kinds = {name: [one for one in made if one.planted == name] for name in gates_data.EVERY}
    assert {name: len(each) for name, each in kinds.items()} == {"copied": 12, "changed": 12, "protected": 6}
    for one in [*kinds["copied"], *kinds["changed"]]:
        before = made[one.number - 5]
        cosine = np.vdot(one.vectors, before.vectors) / np.linalg.norm(one.vectors) / np.linalg.norm(before.vectors)
        assert one.value == before.value and cosine > 0.98
        assert (one[1:4] == before[1:4]) == (one.planted == "copied")


def test_floors_count_what_is_planted(made: list[gates_data.Made], tmp_path: Path) -> None:
    pytest.importorskip("polars")
    pq.write_table(pa.Table.from_pylist([gates_data.flat(one) for one in made]), tmp_path / "pairs.parquet")
    bench = tmp_path / "benchmarks" / "planted"
    bench.mkdir(parents=True)
    guarded = (text.replace("protected", "guarded ") for text in GUARDED)
    (bench / "test.jsonl").write_bytes(b"\n".join(orjson.dumps({"prompt": text}) for text in guarded))
    agrees = [(one.scores[1] > one.scores[0]) == (one.value > 0) for one in made]
    both = [a and (one.scores[3] > one.scores[2]) == (one.value > 0) for a, one in zip(agrees, made, strict=True)]
    assert {name: floor(tmp_path) for name, floor in gates.FLOORS.items()} == {
        "exact": 12, "ngram": 6, "margin": agrees.count(False), "consistency": both.count(False),
        "version": agrees.count(True),
    }  # fmt: skip


@pytest.mark.django_db
def test_rows_by_copy_have_the_defaults_of_the_database(cast: Cast) -> None:
    told: dict[str, Any] = {"prompt": gates_data.said("q"), "prompt_hash": "h", "content_hash": "c"}
    gates_data.copied(Item, {"project_id": cast.project.pk}, iter([{"external_id": "one", **told}]))
    item = Item.objects.get(external_id="one")
    side = {"item_id": item.pk, "text": "t", "text_hash": "h"}
    gates_data.copied(
        Response, {}, iter([{**side, "position": n, "unit": unit} for n, unit in enumerate(["step", ""])])
    )
    gates_data.copied(Response, {}, iter([{**side, "position": 2}]))
    assert list(Response.objects.order_by("position").values_list("unit", flat=True)) == ["step", "", ""]


def test_a_line_of_the_table_has_what_was_found_beside_what_was_planted() -> None:
    ours, machine = (
        {"seconds": 2.0, "mb": 200.4, "found": 21, "right": 19},
        {"foreign_cores": 0.26, "load_before": 1.2, "load_after": 3},
    )
    here = {"ours": ours, "floor": {"seconds": 0.5, "mb": 90, "found": 20}, "machine": machine}
    told = gates.line(1000, "exact", here, {"copied": 20})
    assert told == "| 1,000 | exact | 500 | 200 | 21; 19 of 20 planted | 2,000 | 90 | 20 | 0.3 |"
    figures = {"1000": {"fill": {"planted": {"copied": 20}, "seconds": 3}, "gates": {"exact": {**here, "floor": {}}},
                        "host": {"processor": "a processor", "cores": 2}, "database": "PostgreSQL 15"}}  # fmt: skip
    assert (
        "| – | – | – | 0.3 |\n\na processor, 2 cores, PostgreSQL 15; its load (of one minute) was 1.2 to 3.0 meanwhile."
        in gates.table(figures)
    )
