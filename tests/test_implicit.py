"""Implicit rewards are the log-ratio of policy and reference, token by token, and find errors where they can."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from workers.judging import Candidate, Given, Judged, Spec, Unusable, judges

torch = pytest.importorskip("torch", reason="NOT RUN: torch is not installed")
pytestmark = pytest.mark.training

WORDS = ["Why", "is", "the", "sky", "blue?", "It", "scatters.", "👩‍👩‍👧", "No", "idea.", "blue", "so", "far"]
PROMPT = [{"role": "user", "content": "Why is the sky blue?"}]
LONG = "Why is the sky blue? It scatters. No idea."
FIRST, SECOND = "It scatters. 👩‍👩‍👧 so  far", "It scatters. 👩‍👩‍👧 so blue"
BETA = 0.2


def spec(folder: Path, name: str = "LlamaForCausalLM", **config: Any) -> Spec:
    """A policy and a reference, as files, of other random weights."""
    tokens = tiny.tokenizer(WORDS, chat=config.get("template") == "chat")
    policy, reference = (
        tiny.saved(folder / part, tiny.model(name, len(tokens), seed=n), tokens)
        for n, part in enumerate(("policy", "reference"))
    )
    told = {"dtype": "fp32", "template": "plain", "beta": BETA, "reference_model": reference, **config}
    return Spec(1, "implicit", policy, config=told)


def judged(version: Spec, *texts: str) -> list[Judged]:
    candidates = [Candidate(n, text) for n, text in enumerate(texts or (FIRST, SECOND))]
    return list(judges.get("implicit").open(version).judge([Given(7, PROMPT, candidates)]))


def alone(version: Spec, text: str) -> list[float]:
    """beta times the log-ratio of the response's tokens and the end, each model alone on one text."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told = []
    for reference in (version.reference, version.config["reference_model"]):
        folder = reference.removeprefix("hf:")
        model, tokens = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
        ids = torch.tensor([[*tokens(f"{PROMPT[0]['content']}\n\n{text}")["input_ids"], 3]])
        with torch.inference_mode():
            likely = model.eval()(input_ids=ids).logits.log_softmax(-1)[0, :-1]
        told.append(likely.gather(1, ids[0, 1:, None])[-len(text.split()) - 1 :, 0])
    return list((version.config["beta"] * (told[0] - told[1])).tolist())


@pytest.mark.parametrize("name", ["LlamaForCausalLM", "GPTNeoXForCausalLM"])
def test_each_token_has_the_log_ratio_at_its_place(tmp_path: Path, name: str) -> None:
    version = spec(tmp_path, name)
    for one, text in zip(judged(version), (FIRST, SECOND), strict=True):
        [mapped] = one.maps
        assert [text[start:end] for start, end in mapped.offsets] == [*text.split(), ""]
        assert mapped.values == pytest.approx(alone(version, text), abs=1e-4)


def test_the_rewards_of_the_tokens_sum_to_the_responses(tmp_path: Path) -> None:
    one = judged(spec(tmp_path))[0]
    assert one.scores[""] == pytest.approx(sum(one.maps[0].values), abs=1e-6)
    assert one.scores["mean"] == pytest.approx(one.scores[""] / len(one.maps[0].values))


def test_a_policy_that_is_its_reference_learnt_nothing(tmp_path: Path) -> None:
    version = spec(tmp_path)
    same = {**version.config, "reference_model": version.reference}
    [one] = judged(Spec(1, "implicit", version.reference, config=same), FIRST)
    assert one.maps[0].values == [0.0] * 6 and one.scores == {"": 0.0, "mean": 0.0}


def test_the_expected_reward_under_the_reference_is_minus_beta_kl(tmp_path: Path) -> None:
    """E over y_t ~ pi_ref of r_t = −beta · KL(pi_ref ‖ pi) ≤ 0, in every state."""
    from workers.nn.implicit import open_implicit, word_logits
    from workers.nn.packing import Group, Pack, Text

    judge: Any = open_implicit(spec(tmp_path))
    pack = Pack([Group(0, [Text(0, 0, list(range(6, 19)))])])
    with torch.inference_mode():
        mine, its = (
            word_logits(engine.loaded.model, engine.forward(pack)["hidden"]).log_softmax(-1)
            for engine in (judge.policy, judge.reference)
        )
    expected = (its.exp() * BETA * (mine - its)).sum(1)
    kl = torch.nn.functional.kl_div(mine, its, log_target=True, reduction="none").sum(1)
    assert torch.allclose(expected, -BETA * kl, atol=1e-6) and (expected <= 0).all()


def test_packing_sharing_and_small_pieces_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.nn import implicit

    version = spec(tmp_path)
    texts = [" ".join(WORDS[(n * k) % 13] for n in range(k, k + 4 + k % 7)) for k in range(1, 12)]
    together = judged(version, *texts)
    monkeypatch.setattr(implicit, "CELLS", {"cpu": 40})  # two rows at a time
    for one, text in zip(together, texts, strict=True):
        [single] = judged(version, text)
        assert one.maps[0].values == pytest.approx(single.maps[0].values, abs=1e-4)


def test_a_chat_template_keeps_the_places(tmp_path: Path) -> None:
    for one, text in zip(judged(spec(tmp_path, template="chat")), (FIRST, SECOND), strict=True):
        offsets = one.maps[0].offsets
        assert [text[start:end] for start, end in offsets][: len(text.split())] == text.split()
        assert all(start == end == len(text) for start, end in offsets[len(text.split()) :])


def test_what_was_cut_is_flagged(tmp_path: Path) -> None:
    whole, cut = judged(spec(tmp_path, max_length=10), "No idea.", "far " * 9 + "so")
    assert (whole.truncated, cut.truncated) == (False, True)


def test_other_words_are_refused(tmp_path: Path) -> None:
    version = spec(tmp_path)
    other = tiny.tokenizer([*WORDS[1:], WORDS[0]])
    tiny.saved(tmp_path / "reference", tiny.model("LlamaForCausalLM", len(other)), other)
    with pytest.raises(Unusable, match="different tokenizers"):
        judged(version)


def test_another_template_is_refused(tmp_path: Path) -> None:
    version = spec(tmp_path, template="chat")
    other = tiny.tokenizer(WORDS, chat=True)
    other.chat_template = tiny.CHAT.replace("</s>", "")
    other.save_pretrained(tmp_path / "reference")
    with pytest.raises(Unusable, match="different chat templates"):
        judged(version)


def test_words_split_otherwise_are_refused(tmp_path: Path) -> None:
    """The same vocabulary, yet other tokens: by how the text is cut before it is looked up."""
    version = spec(tmp_path)
    file = tmp_path / "reference" / "tokenizer.json"
    told = json.loads(file.read_text())
    told["pre_tokenizer"] = {"type": "Whitespace"}
    file.write_text(json.dumps(told))
    with pytest.raises(Unusable, match="different tokens"):
        judged(version, FIRST)


def test_a_version_without_a_reference_is_refused(tmp_path: Path) -> None:
    version = spec(tmp_path)
    with pytest.raises(Unusable, match="reference_model"):
        judged(Spec(1, "implicit", version.reference, config={}))


def test_an_anchored_policy_blames_the_error_and_its_rewards_sum_to_dpos(tmp_path: Path) -> None:
    """At small scale, in about 20 s on an idle core; benchmarks/localisation.py tells plain DPO beside it."""
    from benchmarks import localisation

    world, start = localisation.World.of(0), localisation.reference(0)
    anchored = localisation.policy(world, start, anchor=1.0, seed=0, steps=300)
    found = localisation.measured(world, anchored, start, seed=0)
    assert found.top1 >= 0.95 and found.auroc >= 0.98 and found.pairs >= 0.9, found
    assert found.bad < min(found.before, found.after) and found.surprise < 0.2
    key, words = 0, world.clean(0, localisation.Random(1))
    rows = torch.tensor([localisation.ids(key, words)])
    with torch.inference_mode():
        dpo = localisation.BETA * (localisation.log_probs(anchored, rows) - localisation.log_probs(start, rows)).sum()
    given = Given(0, [{"role": "user", "content": f"key{key}"}], [Candidate(0, localisation.text(words))])
    [one] = localisation.judge_of(anchored, start).judge([given])
    assert math.isclose(one.scores[""], dpo.item(), abs_tol=1e-4)
