"""Maps come back as they were packed, at the precision of float16; spans are what the threshold leaves of them."""

import pytest

from curation.models import ModelVersion, Run, ScoreMap
from curation.services import maps
from tests.cast import Cast, make_pairs
from workers.judging import Judged, Mapped
from workers.readout import spans_of

OFFSETS = [(0, 3), (4, 9), (9, 10)]


def mapped(values: list[float], offsets: list[tuple[int, int]] | None = None, unit: str = "token") -> Mapped:
    return Mapped(unit, offsets if offsets is not None else OFFSETS, values)


def a_run(cast: Cast) -> Run:
    model = ModelVersion.objects.create(name="spans", kind="token", reference="hf:x", state="ready")
    return Run.objects.create(project=cast.project, method="score", model=model)


def test_a_map_comes_back_as_it_was(cast: Cast) -> None:
    run, task = a_run(cast), make_pairs(cast.project, 1)[0]
    maps.write(run, [Judged(task.pair.first_id, maps=[mapped([0.5, -1.25, 0.1])])])
    offsets, values = maps.unpack(ScoreMap.objects.get())
    assert offsets == OFFSETS
    assert values[:2] == [0.5, -1.25] and values[2] == pytest.approx(0.1, rel=1e-3)


def test_the_bytes_are_what_the_table_says() -> None:
    offsets, values = maps.pack(mapped([1.0], [(1, 2)]))
    assert (offsets, values) == (b"\x01\x00\x00\x00\x02\x00\x00\x00", b"\x00\x3c")


def test_a_value_too_large_is_cut_and_none_is_lost() -> None:
    _, values = maps.pack(mapped([1e9, -1e9, 0.0]))
    assert values == b"\xff\x7b\xff\xfb\x00\x00"


def test_places_without_values_are_refused() -> None:
    with pytest.raises(ValueError, match="3 places but 1 values"):
        maps.pack(mapped([1.0]))


def test_a_second_delivery_leaves_the_first_map(cast: Cast) -> None:
    run, task = a_run(cast), make_pairs(cast.project, 1)[0]
    for value in (1.0, 2.0):
        one = mapped([value], [(0, 1)])
        maps.write(run, [Judged(task.pair.first_id, maps=[one, mapped([value], [(0, 1)], "step")])])
    found = {row.unit: maps.unpack(row)[1] for row in ScoreMap.objects.all()}
    assert found == {"token": [1.0], "step": [1.0]}


def test_neighbours_beyond_the_threshold_are_one_span() -> None:
    one = mapped([-1.0, -2.0, 0.0, -3.0], [(0, 4), (5, 9), (10, 12), (13, 18)])
    assert spans_of(one, -1.0) == [(0, 9, -1.5), (13, 18, -3.0)]


def test_a_token_between_two_ends_a_span_however_short_it_is() -> None:
    one = mapped([2.0, 0.0, 2.0], [(0, 4), (4, 5), (5, 9)])
    assert spans_of(one, 1.0) == [(0, 4, 2.0), (5, 9, 2.0)]


def test_a_wide_gap_is_no_neighbourhood() -> None:
    one = mapped([1.0, 1.0], [(0, 4), (7, 11)])
    assert spans_of(one, 1.0) == [(0, 4, 1.0), (7, 11, 1.0)]
    assert spans_of(one, 1.0, gap=3) == [(0, 11, 1.0)]


def test_short_spans_and_tokens_without_text_are_left_out() -> None:
    one = mapped([1.0, 1.0, 0.0, 1.0], [(0, 2), (2, 2), (2, 4), (4, 9)])
    assert spans_of(one, 0.5) == [(4, 9, 1.0)]
    assert spans_of(one, 0.5, min_chars=1) == [(0, 2, 1.0), (4, 9, 1.0)]


def test_a_threshold_of_zero_says_nothing() -> None:
    with pytest.raises(ValueError, match="direction"):
        spans_of(mapped([1.0, 1.0, 1.0]), 0)
