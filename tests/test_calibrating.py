"""Calibration: curves that mean what they say, judged on pairs that they were not fitted to."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from django.test import Client

from curation.models import Calibration, ModelVersion, Project, Response, Run, Score, Shard
from curation.services import calibrating, importing, running
from tests.cast import Cast, make_project
from tests.imports import file_of
from tests.judging import done, finish, model, teach
from workers import calibration
from workers.calibration import Judgement


def judgements(n: int, true: float = 3.0, seed: int = 1, margins: float = 4.0) -> list[Judgement]:
    """Pairs whose second is better with probability sigmoid(margin / true)."""
    random = Random(seed)
    found = []
    for number in range(n):
        margin = random.gauss(0, margins)
        found.append(Judgement(margin, random.random() < calibration.sigmoid(margin / true), number))
    return found


# --- The pure part ----------------------------------------------------------------------------------


def test_the_temperature_that_made_the_data_is_found() -> None:
    found = calibration.fit("temperature", judgements(20_000))["temperature"]
    assert found == pytest.approx(3.0, rel=0.05)


def test_the_temperature_has_the_highest_likelihood() -> None:
    pairs = judgements(300, seed=4)

    def likelihood(temperature: float) -> float:
        told = [calibration.sigmoid(pair.margin / temperature) for pair in pairs]
        return sum(math.log(p if pair.second else 1 - p) for p, pair in zip(told, pairs, strict=True))

    best = calibration.fit("temperature", pairs)["temperature"]
    assert likelihood(best) > max(likelihood(best * 1.01), likelihood(best / 1.01))


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_scale_of_scores_does_not_matter(scale: float) -> None:
    pairs = judgements(500)
    scaled = [Judgement(pair.margin * scale, pair.second, pair.group) for pair in pairs]
    for method in ("temperature", "isotonic"):
        one, other = (calibration.curve(method, calibration.fit(method, some)) for some in (pairs, scaled))
        for margin in (-9.0, -1.0, 0.3, 5.0):
            assert one(margin) == pytest.approx(other(margin * scale), abs=1e-6)


def test_a_model_worse_than_chance_is_never_sure() -> None:
    wrong = [Judgement(pair.margin, not pair.second, pair.group) for pair in judgements(400)]
    for method in ("temperature", "isotonic"):
        found = calibration.curve(method, calibration.fit(method, wrong))
        assert found(3.0) == pytest.approx(0.5, abs=0.05)


def test_a_model_that_is_never_wrong_is_sure_and_finite() -> None:
    right = [Judgement(margin, margin > 0) for margin in (-3.0, -1.0, 0.5, 2.0) * 10]
    for method in ("temperature", "isotonic"):
        found = calibration.curve(method, calibration.fit(method, right))
        assert 0.9 < found(1.0) < 1 and found(-1.0) == pytest.approx(1 - found(1.0))


def test_equal_margins_everywhere_say_nothing() -> None:
    pairs = [Judgement(0.0, bool(n % 2), n) for n in range(40)]
    for method in ("temperature", "isotonic"):
        assert calibration.curve(method, calibration.fit(method, pairs))(0.0) == 0.5


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_curves_rise_and_are_the_same_from_both_sides(method: str) -> None:
    found = calibration.curve(method, calibration.fit(method, judgements(400, seed=2)))
    margins = [n / 4 for n in range(-60, 61)]
    told = [found(margin) for margin in margins]
    assert told == sorted(told) and all(0 < p < 1 for p in told)
    assert told == pytest.approx([1 - p for p in reversed(told)])


def test_isotonic_follows_a_shape_that_no_temperature_has() -> None:
    random = Random(3)
    pairs = []
    for number in range(4000):
        margin = random.uniform(-10, 10)
        sure = 0.95 if abs(margin) > 8 else 0.55
        pairs.append(Judgement(margin, random.random() < (sure if margin > 0 else 1 - sure), number))
    errors = {
        method: calibration.reliability(
            zip(calibration.cross_fitted(method, pairs), (pair.second for pair in pairs), strict=True)
        ).ece
        for method in ("temperature", "isotonic")
    }
    assert errors["isotonic"] < 0.03 < errors["temperature"]


def test_reliability_by_hand() -> None:
    told = [(0.9, True), (0.9, False), (0.2, False), (0.5, True)]
    found = calibration.reliability(told, bins=2)
    assert [(one.confidence, one.accuracy, one.count) for one in found.bins] == [
        (pytest.approx(0.65), 0.75, 2),
        (pytest.approx(0.9), 0.5, 2),
    ]
    assert found.ece == pytest.approx(0.5 * 0.1 + 0.5 * 0.4)
    assert found.brier == pytest.approx((0.01 + 0.81 + 0.04 + 0.25) / 4)
    assert found.accuracy == pytest.approx(2.5 / 4)


def test_pairs_of_one_item_are_never_fitted_and_judged_together(monkeypatch: Any) -> None:
    fits: list[set[int]] = []
    pairs = [Judgement(float(n), True, n // 2) for n in range(40)]
    monkeypatch.setattr(calibration, "fit", lambda method, some: fits.append({pair.group for pair in some}) or {})
    monkeypatch.setattr(calibration, "curve", lambda method, params: lambda margin: float(len(fits)))
    told = calibration.cross_fitted("temperature", pairs, folds=5)
    assert len(fits) == 5
    for pair, by in zip(pairs, told, strict=True):
        assert pair.group not in fits[int(by) - 1]


def test_equal_confidences_are_told_together_in_whatever_order_they_come() -> None:
    told = [(0.75, n % 4 > 0) for n in range(400)]
    for order in (told, sorted(told), sorted(told, reverse=True)):
        assert calibration.reliability(order).ece == pytest.approx(0, abs=1e-12)


# --- The run ----------------------------------------------------------------------------------------


def voted(project: Project, n: int, seed: int = 0) -> None:
    """n pairs with an imported vote: the first is longer by some words, and mostly better the more it is longer."""
    random = Random(seed)
    rows = []
    for number in range(n):
        margin = random.randint(-12, 12)
        second = random.random() < calibration.sigmoid(margin / 4)
        rows.append(
            {
                "id": f"v{number}",
                "prompt": f"Question {number}?",
                "responses": ["word " * 20 + f"{number}", "word " * (20 + margin) + f"b{number}"],
                "votes": [{"annotator": "voter", "value": 1 if second else -1}],
            }
        )
    run = importing.import_now(project=project, user=None, path=file_of(rows))
    assert run.state == "succeeded", run.log


@pytest.fixture
def votes(cast: Cast) -> Cast:
    voted(cast.project, 300)
    return cast


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_a_calibration_is_fitted_to_votes_and_used_by_pre_labels(votes: Cast, method: str) -> None:
    length = model()
    run = done(votes.project, "calibrate", model=length.pk, method=method)
    assert run.state == "succeeded", run.error
    made = Calibration.objects.get()
    report = made.report
    assert (made.axis, made.method, report["n"], report["items"]) == ("overall", method, 300, 300)
    assert report["accuracy"] == pytest.approx(report["length_accuracy"])
    assert report["ece_before"] > 0.1 > report["ece_after"]
    assert report["brier_after"] < report["brier_before"]
    assert sum(one["count"] for one in report["bins_after"]) == 300 and len(report["bins_after"]) == 15
    if method == "temperature":
        assert made.params["temperature"] == pytest.approx(4, rel=0.35)
    assert Score.objects.count() == 600
    assert not any("rows" in result for result in Shard.objects.values_list("result", flat=True))


def test_too_few_decided_pairs_are_refused_in_words(cast: Cast) -> None:
    voted(cast.project, calibrating.FEWEST - 1)
    run = done(cast.project, "calibrate", model=model().pk)
    assert run.state == "failed" and "there are 29 pairs" in run.error and "30 are needed" in run.error
    assert not Calibration.objects.exists()


def test_suggestions_of_models_are_no_votes(cast: Cast) -> None:
    voted(cast.project, 40)
    length = model()
    done(cast.project, "prelabel", model=length.pk)
    run = done(cast.project, "calibrate", model=length.pk, annotators="signed-in")
    assert run.state == "failed" and "there are 0 pairs" in run.error
    assert done(cast.project, "calibrate", model=length.pk).result["n"] == 40


def test_the_margin_of_a_cost_model_is_turned(votes: Cast) -> None:
    cheap = model("cheap", kind="cost", reference="program:brevity")
    done(votes.project, "calibrate", model=cheap.pk)
    assert Calibration.objects.get().report["accuracy"] > 0.7


def test_a_close_that_is_done_again_makes_one_calibration(votes: Cast) -> None:
    run = done(votes.project, "calibrate", model=model().pk)
    first = dict(run.result)
    Run.objects.filter(pk=run.pk).update(state="running", holder="", lease_until="2020-01-01T00:00:00Z", phase="close")
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.result, Calibration.objects.count()) == ("succeeded", first, 1)


def test_the_same_seed_gives_the_same_report(votes: Cast) -> None:
    length = model()
    reports = [
        done(votes.project, "calibrate", model=length.pk, seed=seed) and Calibration.objects.latest("pk").report
        for seed in (3, 3, 4)
    ]
    assert reports[0] == reports[1] != reports[2]


def test_answers_that_come_later_change_no_run_under_way(votes: Cast) -> None:
    from curation.services import starting

    run = starting.start(project=votes.project, method="calibrate", params={"model": model().pk}, user=None)
    running.execute(str(run.pk))
    voted(votes.project, 350)
    finish(run)
    assert run.result["n"] == 300


# --- The page ---------------------------------------------------------------------------------------


def page(user: Any, version: ModelVersion) -> str:
    client = Client()
    client.force_login(user)
    return client.get(f"/models/{version.pk}/calibration/").content.decode()


def test_the_model_page_shows_the_diagram_to_who_may_read(votes: Cast) -> None:
    length = model()
    assert "Calibrate now" not in page(votes.mia, length)
    done(votes.project, "score", model=length.pk)
    assert "Calibrate now" in page(votes.mia, length)
    assert "Calibrate now" not in page(votes.vic, length) and "Not calibrated yet" in page(votes.vic, length)
    done(votes.project, "calibrate", model=length.pk)
    shown = page(votes.vic, length)
    assert shown.count("<circle") == 16 and "plot__reliability" in shown and "The diagram as a table" in shown
    assert "Calibrate anew" not in shown and "Calibrate anew" in page(votes.mia, length)
    for user in (votes.zed, votes.ann):
        assert votes.project.name not in page(user, length)


def test_the_button_starts_a_run_for_managers_only(votes: Cast) -> None:
    length = model()
    for user, status in ((votes.vic, 403), (votes.zed, 404), (votes.mia, 302)):
        client = Client()
        client.force_login(user)
        answer = client.post(f"/models/{length.pk}/calibration/", {"project": votes.project.slug})
        assert answer.status_code == status
    run = Run.objects.get(method="calibrate")
    assert answer.headers["Location"] == run.address and run.params["model"] == length.pk


def test_what_another_project_decided_does_not_count(votes: Cast) -> None:
    other = make_project("other")
    voted(other, 10, seed=9)
    run = done(other, "calibrate", model=model().pk)
    assert "there are 10 pairs" in run.error
    assert Score.objects.count() == Response.objects.filter(item__project=other).count()


def test_token_models_are_calibrated_by_their_scores(votes: Cast, monkeypatch: Any) -> None:
    teach(monkeypatch, "token", lambda candidate: {"scores": {"": float(len(candidate.text.split()))}})
    run = done(votes.project, "calibrate", model=model("spans", kind="token", reference="hf:x").pk)
    assert run.result["n"] == 300
