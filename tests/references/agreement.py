"""What other implementations say of made-up answers, for tests/test_agreeing.py: writes agreement.json beside it.

Some of these packages are GPL, so they are neither needed to run Touchstone nor to test it. In an environment apart:

    pip install krippendorff==0.9.0 irrCAC==0.4.4 pygamma-agreement==0.5.9 \\
        scikit-learn==1.9.1 scipy==1.12.0 nltk==3.10.4
    TOUCHSTONE_DATA=… python tests/references/agreement.py

With the optional folder of real data (see tests/test_real_data.py) figures of some of its sets are worked out too; of
the data itself nothing is kept.
"""

from __future__ import annotations

import gzip
import json
import os
from importlib.metadata import version
from itertools import product
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd

PACKAGES = ("krippendorff", "irrCAC", "pygamma-agreement", "scikit-learn", "scipy", "nltk")


def answers(seed: int, units: int, annotators: int, values: list[int], missing: float) -> list[list[int | None]]:
    """One row a unit: a truth that each annotator gives with 60 %, else anything."""
    chance, found = Random(seed), []
    for _ in range(units):
        truth = chance.choice(values)
        row = [truth if chance.random() < 0.6 else chance.choice(values) for _ in range(annotators)]
        found.append([None if chance.random() < missing else value for value in row])
    return found


def many(rows: list[list[int | None]]) -> dict[str, float]:
    import krippendorff
    from irrCAC.raw import CAC

    data = np.array([[np.nan if v is None else v for v in row] for row in rows], dtype=float)
    found = {
        f"alpha_{kind}": float(krippendorff.alpha(reliability_data=data.T, level_of_measurement=kind))
        for kind in ("nominal", "ordinal", "interval")
    }
    table = pd.DataFrame(data)
    for name, weights in (
        ("ac1", "identity"),
        ("linear", "linear"),
        ("quadratic", "quadratic"),
        ("ordinal", "ordinal"),
    ):
        told = CAC(table, weights=weights, digits=15).gwet()["est"]
        found[f"gwet_{name}"] = float(told["coefficient_value"])
        found["percent"] = float(told["pa"]) if name == "ac1" else found["percent"]
    return found


def two(rows: list[list[int | None]]) -> dict[str, float]:
    from nltk.metrics.agreement import AnnotationTask
    from sklearn.metrics import cohen_kappa_score

    both = [(a, b) for a, b, *_ in rows if a is not None and b is not None]
    one, other = zip(*both, strict=True)
    labels = list(range(min(*one, *other), max(*one, *other) + 1))
    found = {
        name: float(cohen_kappa_score(one, other, labels=labels, weights=weights))
        for name, weights in (("cohen", None), ("linear", "linear"), ("quadratic", "quadratic"))
    }
    task = AnnotationTask(
        [(who, str(n), str(v)) for n, pair in enumerate(both) for who, v in zip("ab", pair, strict=True)]
    )
    return found | {"cohen_nltk": float(task.kappa())}


def rankings(seed: int, annotators: int, responses: int) -> list[list[int]]:
    chance = Random(seed)
    return [[chance.randint(1, responses) for _ in range(responses)] for _ in range(annotators)]


def ranked(rows: list[list[int]]) -> dict[str, object]:
    from scipy.stats import friedmanchisquare, kendalltau

    taus = [float(kendalltau(a, b).statistic) for n, a in enumerate(rows) for b in rows[:n]]
    friedman = float(friedmanchisquare(*np.array(rows).T).statistic)
    return {"tau": taus, "w": friedman / (len(rows) * (len(rows[0]) - 1))}


def spans(seed: int, annotators: int, length: int) -> list[list[list[object]]]:
    """Spans near some true places, moved, mislabelled or left out."""
    chance = Random(seed)
    true = [(chance.randrange(0, length - 40), chance.randint(5, 30), chance.choice("ABC")) for _ in range(5)]
    found = []
    for _ in range(annotators):
        mine = []
        for start, size, label in true:
            if chance.random() < 0.8:
                at = max(0, start + chance.randint(-6, 6))
                label = label if chance.random() < 0.7 else chance.choice("ABC")
                mine.append([at, at + max(2, size + chance.randint(-4, 4)), label])
        found.append(sorted(mine))
    return found


def aligned(continuum: list[list[list[object]]], weights: tuple[float, float]) -> float:
    from pyannote.core import Segment
    from pygamma_agreement import CombinedCategoricalDissimilarity, Continuum

    made = Continuum()
    for who, mine in enumerate(continuum):
        made.add_annotator(f"annotator {who}")
        for start, end, label in mine:
            made.add(f"annotator {who}", Segment(start, end), label)
    dissimilarity = CombinedCategoricalDissimilarity(alpha=weights[0], beta=weights[1])
    best = made.get_best_alignment(dissimilarity)
    units = sum(map(len, continuum)) / len(continuum)
    # the package adds up in single precision: the same alignment again, in double
    total = 0.0
    for unitary in best.unitary_alignments:
        told = [unit for _, unit in unitary.n_tuple]
        pairs = [(a, b) for n, a in enumerate(told) for b in told[:n]]
        apart = [1.0 if a is None or b is None else float(dissimilarity.d(a, b)) for a, b in pairs]
        total += sum(apart) / len(pairs)
    assert abs(total / units - best.disorder) < 1e-5
    return total / units


def lines(folder: Path, name: str) -> list[dict[str, object]]:
    with gzip.open(folder / name, "rt") as file:
        return [json.loads(line) for line in file]


def real(folder: Path) -> dict[str, object]:
    """DICES (about 72 raters an item), humour pairs (votes on either side), MQM of three raters (spans)."""
    import krippendorff

    dices = [row["unsafe_votes"] for row in lines(folder, "crowd_dices/dices_990.jsonl.gz")]
    most = max(map(len, dices))
    values = {"No": 0, "Unsure": 1, "Yes": 2}
    rows = [[values[v] for v in votes] + [None] * (most - len(votes)) for votes in dices]
    humour = [(row["votes_a"], row["votes_b"]) for row in lines(folder, "pref_humour/judgments.jsonl.gz")]
    alpha = krippendorff.alpha(value_counts=np.array(humour), level_of_measurement="nominal")
    found = []
    for row in lines(folder, "span_mqm_wmt23_3raters/ende.jsonl.gz"):
        continuum = marked(row)
        if all(continuum) and len(found) < 15:
            weights = (1.0, 1.0)
            found.append({"id": row["id"], "disorder": aligned(continuum, weights)})
    return {"dices": many(rows), "humour": {"alpha_nominal": float(alpha)}, "mqm": found}


def marked(row: dict[str, object]) -> list[list[list[object]]]:
    """The spans of each rater in the translation, with their categories."""
    return [
        sorted(
            [error["start"], error["end"], error["category"]]
            for error in rating["errors"]
            if error["side"] == "target" and error["end"] > error["start"]
        )
        for rating in row["ratings"]
    ]


def main() -> None:
    cases = []
    for n, (units, annotators, values, missing) in enumerate(
        [(40, 2, [1, 2, 3], 0.0), (60, 4, [-2, -1, 0, 1, 2], 0.2), (30, 3, [0, 1], 0.1), (200, 6, [1, 2, 3, 4, 5], 0.5)]
    ):
        rows = answers(n, units, annotators, values, missing)
        cases.append({"rows": rows, **many(rows), "two": two(rows)})
    ranks = [{"rows": rows, **ranked(rows)} for rows in (rankings(7, 4, 6), rankings(8, 3, 9), rankings(9, 5, 4))]
    texts = []
    for (n, annotators), weights in product([(11, 2), (12, 3), (13, 4)], [(1.0, 1.0), (3.0, 1.0)]):
        continuum = spans(n, annotators, 300)
        texts.append({"continuum": continuum, "weights": weights, "disorder": aligned(continuum, weights)})
    told = {
        "packages": {name: version(name) for name in PACKAGES},
        "answers": cases,
        "rankings": ranks,
        "texts": texts,
    }
    if folder := os.environ.get("TOUCHSTONE_DATA"):
        told["real"] = real(Path(folder))
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(told, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
