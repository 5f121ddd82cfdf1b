"""Judges of tokens and steps give what the model alone gives, at the right places of the response."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from workers.judging import Candidate, Given, Judged, Spec, Unusable, judges

torch = pytest.importorskip("torch", reason="NOT RUN: torch is not installed")
pytestmark = pytest.mark.training

WORDS = ["Why", "is", "the", "sky", "blue?", "It", "scatters.", "👩‍👩‍👧", "No", "idea.", "blue", "so", "far"]
LLAMA, BERT = "LlamaForTokenClassification", "BertForTokenClassification"
PROMPT = [{"role": "user", "content": "Why is the sky blue?"}]
FIRST, SECOND = "It scatters. 👩‍👩‍👧 so  far", "No idea."


def spec(
    folder: Path, name: str = LLAMA, kind: str = "token", config: dict[str, Any] | None = None, **sizes: Any
) -> Spec:
    tokens = tiny.tokenizer(WORDS, pairs=name == BERT)
    made = tiny.model(name, len(tokens), **sizes)
    told = {"dtype": "fp32", "template": "plain", **(config or {})}
    return Spec(1, kind, tiny.saved(folder, made, tokens), config=told)


def judged(version: Spec, *candidates: Candidate) -> list[Judged]:
    given = candidates or (Candidate(1, FIRST), Candidate(2, SECOND))
    return list(judges.get(version.kind).open(version).judge([Given(7, PROMPT, given)]))


def by_itself(version: Spec, text: str) -> Any:
    """Logits of the last tokens, those of the response, of the model alone on one text: [words, labels]."""
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    folder = version.reference.removeprefix("hf:")
    alone, tokens = AutoModelForTokenClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    prompt = PROMPT[0]["content"]
    pair = alone.config.model_type == "bert"
    ids = tokens(prompt, text) if pair else tokens(f"{prompt}\n\n{text}")
    given = {"input_ids": torch.tensor([ids["input_ids"]])}
    if "token_type_ids" in ids:
        given["token_type_ids"] = torch.tensor([ids["token_type_ids"]])
    if not pair:
        given["input_ids"] = torch.cat([given["input_ids"], torch.tensor([[3]])], 1)
    with torch.inference_mode():
        return alone.eval()(**given).logits[0, -1 - len(text.split()) : -1]


@pytest.mark.parametrize("name", [LLAMA, BERT, "MistralForTokenClassification", "GPTNeoXForTokenClassification"])
def test_every_token_of_the_response_has_the_models_own_value(tmp_path: Path, name: str) -> None:
    version = spec(tmp_path, name, num_labels=1)
    for one, text in zip(judged(version), (FIRST, SECOND), strict=True):
        [mapped] = one.maps
        assert [text[start:end] for start, end in mapped.offsets] == text.split()
        wanted = by_itself(version, text)[:, 0].tolist()
        assert mapped.values == pytest.approx(wanted, abs=1e-4)
        assert one.scores == {"": pytest.approx(sum(wanted) / len(wanted), abs=1e-4)}
        assert (one.status, one.truncated) == ("ok", False)


def test_classes_of_text2grad_give_an_expected_value(tmp_path: Path) -> None:
    version = spec(tmp_path, num_labels=3)
    wanted = (by_itself(version, FIRST).softmax(1) @ torch.tensor([-1.0, 0.0, 1.0])).tolist()
    assert judged(version)[0].maps[0].values == pytest.approx(wanted, abs=1e-4)


def test_severities_weigh_and_named_good_classes_count(tmp_path: Path) -> None:
    labels = {"labels": ["-5", "-1", "0"]}
    version = spec(tmp_path, num_labels=3, config=labels)
    likely = by_itself(version, FIRST).softmax(1)
    wanted = (-5 * likely[:, 0] - likely[:, 1]).tolist()
    assert judged(version)[0].maps[0].values == pytest.approx(wanted, abs=1e-4)
    named = spec(tmp_path, num_labels=2, config={"labels": ["fine", "made up"], "positive": "fine"})
    likely = by_itself(named, FIRST).softmax(1)
    assert judged(named)[0].maps[0].values == pytest.approx((likely[:, 0] - likely[:, 1]).tolist(), abs=1e-4)


def test_a_head_a_label_gives_a_map_a_label(tmp_path: Path) -> None:
    version = spec(tmp_path, num_labels=2, config={"heads": ["fluency", "truth"]})
    one = judged(version)[0]
    wanted = by_itself(version, FIRST)
    assert [mapped.head for mapped in one.maps] == ["fluency", "truth"] == list(one.scores)
    assert one.maps[1].values == pytest.approx(wanted[:, 1].tolist(), abs=1e-4)


def test_classes_of_which_nothing_is_known_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="which of its classes are good"):
        judged(spec(tmp_path, num_labels=2))


def test_a_response_in_a_chat_template_keeps_its_places(tmp_path: Path) -> None:
    tokens = tiny.tokenizer(WORDS, chat=True)
    reference = tiny.saved(tmp_path, tiny.model(LLAMA, len(tokens), num_labels=1), tokens)
    version = Spec(1, "token", reference, config={"dtype": "fp32", "template": "chat"})
    for one, text in zip(judged(version), (FIRST, SECOND), strict=True):
        assert [text[start:end] for start, end in one.maps[0].offsets] == text.split()


def test_what_the_model_did_not_see_is_said(tmp_path: Path) -> None:
    version = spec(tmp_path, num_labels=1, config={"max_length": 8})
    long = judged(version, Candidate(1, "far " * 20 + "so"))[0]
    assert long.truncated and len(long.maps[0].values) == 7


UNITS = [(0, 12), (13, len(FIRST))]


def steps(version: Spec, *units: tuple[int, int]) -> Judged:
    return judged(version, Candidate(1, FIRST, units=units))[0]


def test_a_step_has_the_probability_at_its_last_token(tmp_path: Path) -> None:
    version = spec(tmp_path, kind="step", num_labels=2, config={"read_out": "prod"})
    good = by_itself(version, FIRST).softmax(1)[:, 1]
    wanted = [good[1].item(), good[4].item()]
    one = steps(version, *UNITS)
    assert one.maps[0].offsets == UNITS and one.maps[0].unit == "step"
    assert one.maps[0].values == pytest.approx(wanted, abs=1e-4)
    assert one.scores[""] == pytest.approx(math.prod(wanted), abs=1e-4) and one.raw == ""


@pytest.mark.parametrize(
    ("read_out", "wanted"), [("min", min), ("last", lambda v: v[-1]), ("mean", lambda v: sum(v) / 2)]
)
def test_the_score_is_read_out_as_the_version_says(tmp_path: Path, read_out: str, wanted: Any) -> None:
    one = steps(spec(tmp_path, kind="step", num_labels=2, config={"read_out": read_out}), *UNITS)
    assert one.scores[""] == pytest.approx(wanted(one.maps[0].values))


def test_a_separator_speaks_for_the_step_before_it(tmp_path: Path) -> None:
    version = spec(tmp_path, kind="step", num_labels=2, config={"pool": "separator"})
    good = by_itself(version, FIRST).softmax(1)[:, 1]
    assert steps(version, *UNITS).maps[0].values[0] == pytest.approx(good[2].item(), abs=1e-4)


def test_a_segment_can_be_pooled_by_its_mean(tmp_path: Path) -> None:
    version = spec(tmp_path, kind="step", num_labels=1, config={"pool": "mean", "unit": "sentence"})
    one = steps(version, *UNITS)
    mean = by_itself(version, FIRST)[:2, 0].mean().sigmoid().item()  # its head is linear
    assert one.maps[0].unit == "sentence" and one.maps[0].values[0] == pytest.approx(mean, abs=1e-4)


def test_without_units_the_response_is_one_and_that_is_said(tmp_path: Path) -> None:
    one = steps(spec(tmp_path, kind="step", num_labels=2))
    assert one.maps[0].offsets == [(0, len(FIRST))] and "judged as one" in one.raw


def test_a_step_judge_of_three_classes_must_say_which_are_good(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="positive"):
        steps(spec(tmp_path, kind="step", num_labels=3), *UNITS)


def test_packing_changes_no_value(tmp_path: Path) -> None:
    version = spec(tmp_path, num_labels=1)
    texts = [" ".join(WORDS[n % 13] for n in range(k, k + 5 + k % 9)) for k in range(40)]
    given = [
        Given(k, PROMPT, [Candidate(2 * k, text), Candidate(2 * k + 1, text[: len(text) // 2])])
        for k, text in enumerate(texts)
    ]
    together = list(judges.get("token").open(version).judge(given))
    alone = judges.get("token").open(version)
    for one in together:
        row = given[one.key // 2]
        [single] = alone.judge([Given(row.key, PROMPT, [row.candidates[one.key % 2]])])
        assert one.maps[0].values == pytest.approx(single.maps[0].values, abs=1e-4)
