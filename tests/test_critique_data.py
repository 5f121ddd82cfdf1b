"""Public critiques as they are found: every row of every set is read, or refused for a reason told here."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from curation.services.importing import sources
from workers.anchoring import Anchor, anchor
from workers.readers import Options
from workers.rows import AnswerRow, CritiqueRow, ItemRow

pytestmark = pytest.mark.data


class Kept(NamedTuple):
    """A file, the format it is recognised as, and how much is read from it."""

    file: str
    format: str
    items: int
    answers: int = 0
    critiques: int = 0
    verdicts: int = 0
    refused: dict[str, int] = {}  # noqa: RUF012
    """How often each field is the reason."""


SETS = [
    Kept("span_finegrained_rlhf/feedback", "qa-feedback", 322, 322, 1759),
    Kept("span_mqm_wmt23_3raters/ende", "mqm", 920, 2760, 8740),
    Kept("span_mqm_wmt23_3raters/zhen", "mqm", 2680, 8040, 15209),
    Kept("span_mqm_ted/ende", "mqm", 7405, 7405, 4030, refused={"errors.0.end": 1}),
    Kept("span_mqm_ted/zhen", "mqm", 7934, 7934, 5617, refused={"errors.0.end": 1}),
    Kept("span_biomqm/es2en", "mqm", 5832, 5832, 3639),
    Kept("span_faithbench/annotations", "faithbench", 600, 947, 1693),
    Kept("span_xsum_hallucination/annotations", "xsum-hallucination", 2080, 6240, 8651, 4612),
    Kept("span_haluquestqa/annotations", "haluquestqa", 524, 748, 1236),
    Kept("span_halueval_general/responses", "halueval", 3587, 3587, 735, 3587),
    Kept("span_squality/reviews", "squality", 80, 960, 2453, 2160),
    Kept("sent_felm/responses", "felm", 598, 598, 604, 3175, {"": 2, "text": 7}),
    Kept("sent_tofueval/sentences", "tofueval", 1238, 1238, 656, 4067, {"sentence_index": 5}),
    Kept("step_processbench/gsm8k", "first-error", 400, 400, 0, 1968),
    Kept("step_processbench/math", "first-error", 1000, 1000, 0, 5366),
    Kept("step_mrgsm8k/solutions", "first-error", 1418, 1418, 0, 8340),
    Kept("step_mrben/biology", "first-error", 1034, 1034, 834, 6615, {"steps": 1}),
    Kept("step_mrben/chemistry", "first-error", 847, 847, 930, 5198, {"steps": 1}),
    Kept("step_mrben/math", "first-error", 915, 915, 1534, 4590, {"steps": 3}),
    Kept("step_mrben/medicine", "first-error", 825, 825, 1138, 4534, {"steps": 2, "first_error_step": 1}),
    Kept("step_bigbench_mistake/dyck_languages", "first-error", 985, 985, 0, 12642, {"steps": 1}),
    Kept("step_bigbench_mistake/logical_deduction", "first-error", 300, 300, 0, 961),
    Kept("step_bigbench_mistake/tracking_shuffled_objects", "first-error", 300, 300, 0, 1151),
    Kept("step_bigbench_mistake/word_sorting", "first-error", 300, 300, 0, 1583),
    Kept("critique_shepherd/critiques", "shepherd", 967, 967, 1253, 1934),
    Kept("crowd_dices/dices_990", "safety-votes", 990, 72103, 0, 72103),
    Kept("verdict_code_solutions/solutions", "solutions", 1350, 1467, 369, 1350, {"solution": 179}),
    Kept("verdict_gsm8k_solutions/solutions", "solutions", 991, 3964, 0, 3964),
]


def read(path: Path) -> tuple[str, list[ItemRow], list[tuple[int, str]]]:
    """The format of a file, its items, and the lines and fields that were refused."""
    reader = sources.reader_for(path, "", {})
    found = list(sources.outcomes(path, reader, Options()))
    refused = [(one.line, one.problem.field) for one in found if one.problem]
    return reader.name, [one.row for one in found if isinstance(one.row, ItemRow)], refused


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path) as lines:
        for line in lines:
            yield orjson.loads(line.replace(b": NaN", b": null"))


def assert_in_place(item: ItemRow) -> None:
    """Every span is in its text, with its quote; every verdict on a unit has the bounds of one."""
    documents = [one["text"] for one in item.context.get("documents", [])]
    for answer in item.answers:
        response = item.responses[answer.response]
        for one in answer.critiques:
            if one.start is not None:
                assert response.text[one.start : one.end] == one.quote
            proof = one.evidence or {}
            if "start" in proof:
                source = documents[proof["document"]] if "document" in proof else item.responses[0].text
                assert source[proof["start"] : proof["end"]] == proof["quote"]
        assert {(one.start, one.end) for one in answer.verdicts if one.start is not None} <= set(response.units)


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.file)
def test_a_set_is_read_whole(real_data: Path, one: Kept) -> None:
    path = real_data / f"{one.file}.jsonl.gz"
    format, items, refused = read(path)
    answers: list[AnswerRow] = [answer for item in items for answer in item.answers]
    critiques = sum(len(answer.critiques) for answer in answers)
    verdicts = sum(len(answer.verdicts) for answer in answers)
    assert Kept(one.file, format, len(items), len(answers), critiques, verdicts, one.refused) == one
    fields = Counter(field.rpartition(".")[2] if "text" in field else field for _, field in refused)
    steps = sum(count for field, count in fields.items() if field.startswith("steps."))
    assert {f: n for f, n in fields.items() if not f.startswith("steps.")} | ({"steps": steps} if steps else {}) == (
        one.refused
    )
    for item in items:
        assert_in_place(item)
    ids = [item.external_id for item in items]
    assert len(set(ids)) == len(ids) and None not in ids


# --- Nothing is lost or made up: against the rows of the file ------------------------------------------


def test_the_errors_of_three_raters_are_theirs(real_data: Path) -> None:
    for name in ("ende", "zhen"):
        path = real_data / "span_mqm_wmt23_3raters" / f"{name}.jsonl.gz"
        for row, item in zip(rows_of(path), read(path)[1], strict=True):
            for rating, answer in zip(row["ratings"], item.answers, strict=True):
                assert answer.annotator == rating["rater"]
                said = [(e["category"], e["severity"], e["start"], e["end"], e["side"]) for e in rating["errors"]]
                assert [(c.type, c.severity, *place(c)) for c in answer.critiques] == said


def place(one: CritiqueRow) -> tuple[Any, Any, str]:
    """Where an error is: in the target, or in the source."""
    proof = one.evidence
    return (proof["start"], proof["end"], "source") if proof else (one.start, one.end, "target")


def test_each_end_of_bio_mqm_is_put_right_by_its_term(real_data: Path) -> None:
    path = real_data / "span_biomqm" / "es2en.jsonl.gz"
    ends: Counter[str] = Counter()
    for row, item in zip(rows_of(path), read(path)[1], strict=True):
        for error, critique in zip(row["errors"], item.answers[0].critiques, strict=True):
            start, end, _ = place(critique)
            quote = (critique.evidence or {}).get("quote", critique.quote)
            same = quote.strip(" .,;(") == error["term"].strip(" .,;(")
            ends[
                "inclusive" if end == error["end_raw"] + 1 else "exclusive" if end == error["end_raw"] else "other"
            ] += 1
            assert same or quote.split() == error["term"].split(), (quote, error)
    assert ends["inclusive"] > 3400 and ends["exclusive"] >= 133 and ends.total() == 3639


def test_the_first_wrong_step_is_the_one_of_the_file(real_data: Path) -> None:
    for path in sorted(real_data.glob("step_*/*.jsonl.gz")):
        wanted = {row["id"]: (row["first_error_step"], [s.strip() for s in row["steps"]]) for row in rows_of(path)}
        for item in read(path)[1]:
            (answer,), (response,) = item.answers, item.responses
            first, steps = wanted[item.external_id or ""]
            said = [one.answer for one in answer.verdicts if one.question == "step"]
            assert [response.text[start:end] for start, end in response.units] == steps
            assert said == ([True] * len(steps) if first is None else [True] * first + [False])


def test_the_sentences_of_a_summary_are_its_rows(real_data: Path) -> None:
    path = real_data / "sent_tofueval" / "sentences.jsonl.gz"
    sentences: dict[tuple[str, ...], list[Any]] = {}
    for row in rows_of(path):
        key = tuple(row[name] for name in ("corpus", "doc_id", "annotation_id", "topic", "model"))
        sentences.setdefault(key, []).append((row["sentence"].strip(), row["label"] == "consistent"))
    items = read(path)[1]
    for item in items:
        key = (
            *(item.metadata[name] for name in ("corpus", "doc_id", "annotation_id", "topic")),
            item.responses[0].model,
        )
        said = [one for one in item.answers[0].verdicts if one.question == "faithful"]
        text = item.responses[0].text
        assert [(text[one.start : one.end], one.answer) for one in said] == sentences.pop(key)
    assert len(sentences) == 5 and len(items) == 1238


def test_three_reviewers_rank_three_summaries(real_data: Path) -> None:
    for item in read(real_data / "span_squality" / "reviews.jsonl.gz")[1]:
        rankings = [answer.ranks for answer in item.answers if answer.ranks]
        assert len(item.responses) == 3 and len(rankings) == 3
        assert all(len(ranks) == 3 and min(ranks) >= 1 for ranks in rankings)


# --- Anchoring: Text2Grad, acceptance B -----------------------------------------------------------------


def spans_of_people(real_data: Path) -> list[tuple[str, int, int]]:
    """The spans that people marked in QA-Feedback's first predictions."""
    path = real_data / "span_finegrained_rlhf" / "feedback.jsonl.gz"
    return [
        (row["predictions"][0], error["start"], error["end"]) for row in rows_of(path) for error in row["errors"]
    ]  # fmt: skip


def test_human_spans_are_found_from_their_quotes_alone(real_data: Path) -> None:
    spans = spans_of_people(real_data)
    found = [(anchor(text, text[start:end]), start, end) for text, start, end in spans]
    assert len(found) == 902
    assert all(one.how == "exact" and start in one.places for one, start, _ in found)
    repeated = [one for (text, start, end), (one, _, _) in zip(spans, found, strict=True)
                if text.find(text[start:end]) != text.rfind(text[start:end])]  # fmt: skip
    assert len(repeated) == 48 and all(one.ambiguous for one in repeated)
    assert sum(one.ambiguous for one, _, _ in found) == 48
    assert sum((one.start, one.end) == (start, end) for one, start, end in found) / len(found) >= 0.95


def near(one: Anchor, start: int, end: int, by: int) -> bool:
    """Whether one of the places told is the span, give or take some characters."""
    width = (one.end or 0) - (one.start or 0)
    return any(abs(at - start) <= by and abs(at + width - end) <= by for at in one.places)


def test_human_spans_are_found_after_damage_to_case_spaces_and_quotes(real_data: Path) -> None:
    chance = random.Random(7)
    spans = spans_of_people(real_data)
    damages = [
        str.upper,
        str.lower,
        lambda quote: "  \n".join(quote.split()),
        lambda quote: quote.replace("'", "’").replace('"', "“").replace("-", "–"),
        lambda quote: quote.strip(".,;:!?\"' "),
    ]
    right = 0
    for text, start, end in spans:
        quote = text[start:end]
        for damage in chance.sample(damages, 2):
            quote = damage(quote) or quote
        right += near(anchor(text, quote), start, end, 2)
    assert right / len(spans) >= 0.9
    print(f"damaged: {right} of {len(spans)}")


@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_human_spans_without_some_words_are_found_or_unmatched_never_elsewhere(real_data: Path, lost: float) -> None:
    chance = random.Random(11)
    spans = spans_of_people(real_data)
    how: Counter[str] = Counter()
    elsewhere = 0
    for text, start, end in spans:
        kept = [word for word in text[start:end].split() if chance.random() >= lost]
        one = anchor(text, " ".join(kept))
        how[one.how] += 1
        if one.start is not None and one.end is not None:
            overlaps = any(at < end and start < at + one.end - one.start for at in one.places)
            elsewhere += not overlaps
    assert elsewhere / len(spans) <= 0.01
    print(f"{lost:.0%} of the words lost: {dict(how)}, elsewhere {elsewhere}")
