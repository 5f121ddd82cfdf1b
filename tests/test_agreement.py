"""Krippendorff's alpha against his own example, and where it is undefined."""

from __future__ import annotations

import pytest

from workers.agreement import Agreement

# Krippendorff (2011), section C: four observers, twelve units.
UNITS = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4], [1, 1, 2, 1],
    [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip


@pytest.mark.parametrize(("kind", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(kind: str, alpha: float) -> None:
    found = Agreement()
    for unit in UNITS:
        found.add(unit)
    assert found.alpha(kind) == pytest.approx(alpha, abs=5e-4)
    assert found.units == 11 and sum(found.totals().values()) == pytest.approx(40)


def test_where_it_is_undefined() -> None:
    alone, same = Agreement(), Agreement()
    for _ in range(3):
        alone.add([1])
        same.add([2, 2])
    assert alone.alpha() is None and alone.percent is None
    assert same.alpha() is None and same.percent == 1.0 and same.unanimous == 3


def test_percent_is_of_pairs() -> None:
    found = Agreement()
    found.add([1, 1, 2])
    assert found.percent == pytest.approx(1 / 3) and found.unanimous == 0
    with pytest.raises(ValueError, match="no metric"):
        found.alpha("ratio")
