"""The validity probe: what is planted, how it is measured, and who passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any

import pytest

from curation.models import ModelVersion, Project, Response, Run
from curation.services import probing, running, sharding, starting
from tests.cast import Cast
from tests.critics import item, land
from tests.heat import by_word
from workers import planting, warm
from workers.judging import Given, Judged, Mapped

TEXT = "The river Danube flows through Vienna and then through Budapest. In 1871 it was 30 metres wide."


def test_one_word_of_its_shape_is_changed_and_its_place_is_known() -> None:
    words = planting.lexicon([TEXT, "We saw Paris and the garden of London, in 1999. People walked there slowly."])
    shapes = set()
    for seed in range(40):
        one = planting.plant(TEXT, words, Random(seed))
        assert one is not None
        assert one.text[: one.start] + one.was + one.text[one.end :] == TEXT
        new = one.text[one.start : one.end]
        assert new.casefold() not in TEXT.casefold()
        assert planting.shape(new) == planting.shape(one.was)
        shapes.add(planting.shape(new))
    assert shapes == {"word", "name", "number-4", "number-2"}


def test_the_same_seed_plants_the_same() -> None:
    words = planting.lexicon([TEXT, "People walked there slowly, and Paris was far."])
    assert planting.plant(TEXT, words, Random(3)) == planting.plant(TEXT, words, Random(3))


def test_a_text_too_short_or_without_another_word_is_left() -> None:
    assert planting.plant("Three short words", planting.lexicon([TEXT]), Random(0)) is None
    assert planting.plant("these words have no other word", {}, Random(0)) is None


def found(*values: float, at: int = 2) -> planting.Found:
    text = "a b c d e"
    one = planting.found(Mapped("token", [(2 * n, 2 * n + 1) for n in range(5)], values), text, 2 * at, 2 * at + 1)
    assert one is not None
    return one


def test_the_lowest_word_is_found_and_what_is_around_it_is_told() -> None:
    one = found(1.0, 0.0, -2.0, 0.5, 1.5)
    assert (one.top1, one.auroc, one.chance) == (1.0, 1.0, 0.2)
    assert (one.before, one.bad, one.after) == (0.5, -2.0, 1.0)


def test_blame_after_the_error_is_no_find() -> None:
    one = found(0.0, 0.0, -1.0, -3.0, -2.0)
    assert (one.top1, one.auroc, one.after) == (0.0, 0.5, -2.5)


def test_ties_are_shared() -> None:
    one = found(0.0, 0.0, 0.0, 0.0, 0.0)
    assert (one.top1, one.auroc) == (pytest.approx(0.2), 0.5)


def test_the_tokens_of_a_word_are_summed() -> None:
    one = planting.found(
        Mapped("token", [(0, 2), (2, 3), (3, 5), (5, 7), (7, 7)], [-1, -1, -1.5, 1, -9]), "abc de fg", 0, 3
    )
    assert one is not None and one.bad == -2.0 and one.top1 == 1.0


def test_an_error_beyond_the_map_is_not_measured() -> None:
    assert planting.found(Mapped("token", [(0, 1)], [1.0]), "a b", 2, 3) is None


class Fake:
    """A judge whose token values a function tells, by word and by its place behind the error."""

    device = "cpu"

    def __init__(self, value: Callable[[str], float], truncated: bool = False) -> None:
        self.value, self.truncated = value, truncated

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for row in given:
            for one in row.candidates:
                yield Judged(one.key, maps=[by_word(one.text, self.value)], tokens=5, truncated=self.truncated)


def project_with(cast: Cast, count: int, **more: Any) -> Project:
    chance = Random(1)
    rows = [
        item(f"i{n}", " ".join(f"w{chance.randrange(100, 200)}" for _ in range(8)), f"other words here number w{n}")
        for n in range(count)
    ]
    land(cast.project, *rows)
    return cast.project


def probe(cast: Cast, value: Callable[[str], float], count: int = 320, **params: Any) -> tuple[Run, ModelVersion]:
    model = ModelVersion.objects.create(name="policy", kind="implicit", reference="hf:/x", state="ready")
    warm.forget()
    warm.get(model.pk, lambda: Fake(value, params.pop("truncated", False)))
    run = starting.start(
        project=cast.project, method="probe", params={"model": model.pk, "responses": count, **params}, user=cast.olga
    )
    running.execute(str(run.pk))
    while sharding.work("cpu"):
        pass
    running.execute(str(run.pk))
    run.refresh_from_db()
    model.refresh_from_db()
    warm.forget()
    return run, model


@pytest.fixture
def marked(cast: Cast) -> Cast:
    """Responses in which one word, BAD, is marked as the error."""
    land(cast.project, *(item(f"i{n}", f"one two BAD three w{n}", f"fine words of w{n} here") for n in range(320)))
    for one in Response.objects.filter(text__contains="BAD"):
        Response.objects.filter(pk=one.pk).update(metadata={"error": [8, 11]})
    return cast


def test_a_model_that_finds_the_errors_passes(marked: Cast) -> None:
    run, model = probe(marked, lambda word: -1.0 if word == "BAD" else 0.1, errors="marked")
    assert run.state == "succeeded", run.log
    assert model.probe["passed"] is True
    assert (model.probe["n"], model.probe["top1"], model.probe["auroc"]) == (320, 1.0, 1.0)
    assert (model.probe["r_before"], model.probe["r_bad"], model.probe["r_after"]) == (0.1, -1.0, 0.1)
    assert model.probe["chance"] == 0.2 and model.probe["project"] == marked.project.slug
    assert run.result["passed"] is True and model.probe["run"] == str(run.pk)


def test_a_model_that_blames_what_comes_after_does_not_pass(marked: Cast) -> None:
    _, model = probe(marked, lambda word: {"BAD": -0.2, "three": -1.0}.get(word, 0.1), errors="marked")
    assert model.probe["passed"] is False and model.probe["top1"] == 0.0
    assert model.probe["r_after"] < model.probe["r_bad"]


def test_marks_that_are_no_places_are_left_out(marked: Cast) -> None:
    some = Response.objects.filter(text__contains="BAD").order_by("pk").values_list("pk", flat=True)[:3]
    for pk, error in zip(some, ("here", [8], [8, 999]), strict=True):
        Response.objects.filter(pk=pk).update(metadata={"error": error})
    _, model = probe(marked, lambda word: -1.0 if word == "BAD" else 0.1, errors="marked")
    assert (model.probe["n"], model.probe["unplanted"], model.probe["passed"]) == (317, 3, True)


def test_too_few_responses_never_pass(marked: Cast) -> None:
    _, model = probe(marked, lambda word: -1.0 if word == "BAD" else 0.1, errors="marked", count=299)
    assert model.probe["top1"] == 1.0 and model.probe["n"] == 299 and model.probe["passed"] is False


def test_what_was_cut_off_is_counted_and_not_measured(marked: Cast) -> None:
    run, model = probe(marked, len, errors="marked", truncated=True)
    assert run.state == "failed" and "no error could be planted" in str(run.error)
    assert model.probe == {}


def test_errors_are_planted_into_a_projects_responses(cast: Cast) -> None:
    project_with(cast, 30)
    run, model = probe(cast, lambda word: 0.0, count=40)
    assert run.state == "succeeded", run.log
    assert model.probe["n"] + model.probe["unplanted"] == 40
    assert model.probe["auroc"] == 0.5 and model.probe["passed"] is False


def test_the_drawn_responses_are_the_same_at_every_look(cast: Cast) -> None:
    project_with(cast, 30)
    params = probing.ProbeParams(model=1, responses=20)
    run = Run(project=cast.project)
    pieces = list(probing.plan(run, params, None))
    assert pieces == list(probing.plan(run, params, None))
    assert sum(piece.size for piece in pieces) == 20
    assert list(probing.plan(run, params, {"next": 20})) == []


def test_a_piece_that_does_not_fit_is_halved(cast: Cast) -> None:
    one, other = probing.halves({"responses": [1, 2, 3], "next": 50})
    assert one.spec["responses"] + other.spec["responses"] == [1, 2, 3]
    assert probing.halves({"responses": [1], "next": 50}) == []
