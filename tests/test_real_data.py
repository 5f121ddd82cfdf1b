"""Public preference data as it is found: every row lands or has a reason that the file itself bears out."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from curation.errors import Invalid
from curation.models import Annotation, Pair, Preference, Project, Run
from curation.services import importing
from curation.services.concord.figuring import Choice, Label, Reader
from curation.services.concord.keeping import kept_up
from tests.imports import bring_file, counts, refusals, snapshot

pytestmark = pytest.mark.data
VALUE = {"a": -1, "b": 1, "tie": 0}
Said = tuple[str, str, int]
"""Item, annotator and value of one vote."""


class Pairwise(NamedTuple):
    """A set of pairs with votes: where it lies, how it is recognised, and how to get at its two responses."""

    folder: str
    file: str
    format: str
    responses: Callable[[dict[str, Any], dict[str, str]], list[Any]]
    votes: Callable[[dict[str, Any]], list[Said]]
    companion: str = ""
    most: int = 10_000


def fields(*names: str) -> Callable[[dict[str, Any], dict[str, str]], list[Any]]:
    return lambda row, texts: [row[name] for name in names]


def replies(row: dict[str, Any], texts: dict[str, str]) -> list[Any]:
    """What each model of MT-Bench said up to the turn that is judged."""
    talks = (row["conversation_a"], row["conversation_b"])
    return ["\n".join(m["content"] for m in talk[1 : 2 * row["turn"]]) for talk in talks]


def votes(row: dict[str, Any]) -> list[Said]:
    return [(row["id"], one["annotator"], VALUE[one["choice"]]) for one in row["votes"]]


SETS = [
    Pairwise(
        "pref_hh_rlhf_harmless",
        "pairs",
        "hh-rlhf",
        fields("chosen", "rejected"),
        lambda row: [(row["id"], "imported", -1)],
    ),
    Pairwise("pref_mtbench_human", "judgments", "mt-bench", replies, votes),
    Pairwise("pref_llmfao", "judgments", "votes", fields("response_a", "response_b"), votes),
    Pairwise("pref_pandalm", "judgments", "columns", fields("response_a", "response_b"), votes),
    Pairwise(
        "pref_ukpconvarg1",
        "judgments",
        "convarg",
        lambda row, texts: [texts[row["response_a"]], texts[row["response_b"]]],
        votes,
        companion="arguments",
        most=3000,
    ),
]


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as lines:
        yield from map(orjson.loads, lines)


def beginning(path: Path, most: int, folder: Path) -> Path:
    """The first rows of a file, zipped again."""
    with gzip.open(path) as lines, gzip.open(folder / path.name, "wb", compresslevel=1) as cut:
        cut.writelines(islice(lines, most))
    return folder / path.name


def comparable(responses: list[Any]) -> bool:
    """Whether two responses are text, not blank and different: what an import asks for."""
    texts = [text.strip() for text in responses if isinstance(text, str)]
    return len(texts) == 2 and all(texts) and texts[0] != texts[1]


def standing(project: Project) -> Counter[Said]:
    """The votes of people that stand, as the pair's first response is its first in the file."""
    people = Annotation.objects.answers().filter(project=project, annotator__kind="person")
    said = people.values_list("task__pair__item__external_id", "annotator__name", "preferences__value")
    return Counter((item, name, value or 0) for item, name, value in said)


def compared(project: Project) -> dict[str, list[str]]:
    """How the two texts of each item's pair end."""
    pairs = Pair.objects.filter(item__project=project).values_list("item__external_id", "first__text", "second__text")
    return {item: ends(texts) for item, *texts in pairs}


def ends(texts: list[str]) -> list[str]:
    """The last lines of texts: what two conversations share is cut from their beginning."""
    return [text.strip().splitlines()[-1].rsplit("Assistant:", 1)[-1].strip() for text in texts]


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.folder)
def test_a_set_of_pairs_lands_whole_and_changes_nothing_the_second_time(
    project: Project, real_data: Path, tmp_path: Path, one: Pairwise
) -> None:
    folder = real_data / one.folder
    path = beginning(folder / f"{one.file}.jsonl.gz", one.most, tmp_path)
    companion = folder / f"{one.companion}.jsonl.gz" if one.companion else None
    texts = {row["arg"]: row["text"] for row in rows_of(companion)} if companion else {}
    rows = list(rows_of(path))
    good = [row for row in rows if comparable(one.responses(row, texts))]
    bad = [line for line, row in enumerate(rows, 1) if not comparable(one.responses(row, texts))]

    result = bring_file(project, path, companion=companion)
    assert result["format"] == one.format and counts(result) == (len(good), 0, 0, len(bad))
    assert [line for line, _, _ in refusals(result)] == bad and result["tasks"] == len(good) > 600
    assert standing(project) == Counter(said for row in good for said in one.votes(row))
    assert compared(project) == {row["id"]: ends(one.responses(row, texts)) for row in good}

    before = snapshot(project)
    again = bring_file(project, path, companion=companion)
    assert counts(again) == (0, 0, len(good), len(bad)) and again["votes"] == 0
    assert snapshot(project) == before


def test_the_judges_of_llmfao_find_their_pairs(project: Project, real_data: Path) -> None:
    folder = real_data / "pref_llmfao"
    bring_file(project, folder / "judgments.jsonl.gz")
    known = set(project.items.values_list("external_id", flat=True))
    judged = list(rows_of(folder / "llm_judgments.jsonl.gz"))
    result = bring_file(project, folder / "llm_judgments.jsonl.gz")
    assert result["format"] == "judgements" and counts(result)[:3] == (0, 0, 0)
    assert [line for line, _, _ in refusals(result)] == [n for n, row in enumerate(judged, 1) if row["id"] not in known]
    models = Annotation.objects.answers().filter(annotator__kind="model")
    said = models.values_list("task__pair__item__external_id", "annotator__name", "preferences__value")
    found = [(row["id"], row["judge"], VALUE[row["choice"]]) for row in judged if row["id"] in known]
    assert sorted(said) == sorted(found) and result["votes"] == len(found) > 2000
    before = snapshot(project)
    assert bring_file(project, folder / "llm_judgments.jsonl.gz")["votes"] == 0 and snapshot(project) == before


def said_at(rate: float) -> tuple[int, float]:
    """Value and probability of a vote for the second response, the first being the baseline."""
    return (0 if 0.45 < rate < 0.55 else 1 if rate > 0.5 else -1), rate


def test_the_answers_of_twelve_models_are_compared_with_the_baseline(project: Project, real_data: Path) -> None:
    path = real_data / "rank_alpacaeval_gpt4" / "items.jsonl.gz"
    wanted = Counter(
        (row["id"], answer["model"], *said_at(answer["gpt4_win_rate_vs_baseline"]))
        for row in rows_of(path)
        for answer in row["responses"]
        if answer["text"].strip() != row["baseline"]["text"].strip()
    )
    result = bring_file(project, path)
    assert result["format"] == "alpaca-eval" and counts(result) == (645, 0, 0, 0)
    assert result["tasks"] == result["votes"] == wanted.total() > 7000
    item, model = "annotation__task__pair__item__external_id", "annotation__task__pair__second__model"
    assert Counter(Preference.objects.values_list(item, model, "value", "probability")) == wanted
    assert set(Pair.objects.values_list("first__model", flat=True)) == {"gpt4_1106_preview"}
    before = snapshot(project)
    assert counts(bring_file(project, path)) == (0, 0, 645, 0) and snapshot(project) == before


def test_votes_on_seven_axes_about_texts_in_a_file_of_their_own(project: Project, real_data: Path) -> None:
    """As docs/importing.md has it; agreement as the set's own figures say."""
    folder = real_data / "pref_crowdrag25"
    result = bring_file(
        project, folder / "judgments.jsonl.gz", format="columns", mapping={"prompt": "query"},
        companion=folder / "responses.jsonl.gz",
    )  # fmt: skip
    assert result["format"] == "columns" and counts(result) == (1026, 0, 0, 0)
    assert result["votes"] == 7 * 5130 == Preference.objects.count()
    kept = kept_up(project, seconds=600)
    for axis, equal, alpha in (
        ("quality_overall", 0.5801, 0.1592), ("correctness_topical", 0.4167, 0.1233),
        ("coherence_logical", 0.4357, 0.1417), ("coverage_broad", 0.457, 0.1855),
    ):  # fmt: skip
        told = Reader.of(kept.state, Label(f"axis|{axis}", axis, "axis"), Choice()).all(0)
        figures = {one.name: one.figure for one in told.measures}
        assert told.units == 1026, axis
        assert figures["alpha_nominal"].value == pytest.approx(alpha, abs=5e-5)
        assert figures["percent"].value == pytest.approx(equal, abs=5e-5)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("pref_humour/judgments", "no known format has these fields: id, response_a, response_b, votes_a, votes_b"),
        ("pref_crowdrag25/judgments", "the format convarg needs its companion file"),
        ("pref_crowdrag25/llm_judgments", "no known format has these fields: query_id, response_a"),
        ("pref_crowdrag25/pointwise_grades", "no known format has these fields: response, correctness_topical"),
    ],
)
def test_a_set_of_another_shape_is_refused_as_a_whole_in_words(
    project: Project, real_data: Path, file: str, words: str
) -> None:
    with pytest.raises(Invalid) as told:
        importing.import_now(project=project, user=None, path=real_data / f"{file}.jsonl.gz")
    assert words in told.value.detail and not Run.objects.exists()
