"""cleanlab's confident learning on the benchmark's rows, in whatever environment has it: `PYTHON noise_cleanlab.py`.

It reads names of .npz files from standard input, one a line, each with `differences` [n, d], and answers each with the
name of a file that holds, by way of filtering, which labels it doubts. cleanlab is licensed under the AGPL and is no
dependency of Touchstone: this file imports nothing of ours and runs as a process of its own.
"""

import sys
from pathlib import Path

WAYS = ("prune_by_noise_rate", "confident_learning")
STRENGTHS = (0.01, 0.1, 1.0)
FOLDS = 5


def doubted(differences, seed):  # type: ignore[no-untyped-def]
    """By its own advice: probabilities out of fold of a classifier, here the best of three by cross-validated loss."""
    import numpy as np
    from cleanlab.filter import find_label_issues
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    chance = np.random.default_rng(seed)
    sign = np.where(chance.random(len(differences)) < 0.5, 1, -1)  # which of the two comes first says nothing
    rows, labels = differences * sign[:, None], (sign > 0).astype(int)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    tried = [
        cross_val_predict(
            LogisticRegression(C=c, fit_intercept=False, max_iter=500), rows, labels, cv=folds, method="predict_proba"
        )
        for c in STRENGTHS
    ]
    told = min(tried, key=lambda one: log_loss(labels, one))
    found = {way: find_label_issues(labels, told, filter_by=way, n_jobs=1) for way in WAYS}
    return {**found, "self_confidence": told[np.arange(len(labels)), labels]}


def main() -> None:
    import numpy as np

    for line in sys.stdin:
        path = Path(line.strip())
        given = np.load(path)
        answer = path.with_suffix(".found.npz")
        np.savez(answer, **doubted(given["differences"], int(given["seed"])))
        print(answer, flush=True)


if __name__ == "__main__":
    main()
