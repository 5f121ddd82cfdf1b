"""How likely a local model holds each verdict: forced to write it, by the same arithmetic as by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from workers.asking import Request
from workers.likely import place

TEXT = '{"critique_1": "no", "verdict": "1"}'


def letters() -> Any:
    """A tokenizer with a token for each character."""
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from transformers import PreTrainedTokenizerFast

    known = ["<pad>", "<unk>", "</s>", *sorted(set(TEXT + "2 abcdefghijklmnopqrstuvwxyz"))]
    made = Tokenizer(WordLevel({word: n for n, word in enumerate(known)}, unk_token="<unk>"))
    made.pre_tokenizer = Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", pad_token="<pad>", eos_token="</s>")


def test_a_verdict_is_as_likely_as_its_tokens_behind_the_critique() -> None:
    import torch

    from tests import tiny
    from workers.nn.forcing import likelihood

    tokens = letters()
    model = tiny.model("LlamaForCausalLM", len(tokens))
    prompt = list(tokens("which", add_special_tokens=False)["input_ids"])
    found = likelihood(model, tokens, prompt, TEXT, ["1", "2"])
    at = place(TEXT)
    assert at is not None and TEXT[at] == "1"
    ids = [*prompt, *tokens(TEXT[:at], add_special_tokens=False)["input_ids"]]
    by_hand = {}
    for verdict in ("1", "2"):
        ending = tokens(verdict + '"', add_special_tokens=False)["input_ids"]
        logs = model(torch.tensor([[*ids, *ending]])).logits[0].log_softmax(-1)
        by_hand[verdict] = float(logs[len(ids) - 1, ending[0]] + logs[len(ids), ending[1]])
    total = math.log(sum(math.exp(value) for value in by_hand.values()))
    assert found == pytest.approx({name: value - total for name, value in by_hand.items()}, abs=1e-5)
    assert math.isclose(sum(math.exp(value) for value in found.values()), 1, abs_tol=1e-6)
    assert likelihood(model, tokens, prompt, "no verdict", ["1", "2"]) == {}


def test_a_writer_tells_how_likely_verdicts_are_only_where_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import tiny
    from workers.asking import Reply
    from workers.nn.generating import Writer

    tokens = letters()
    writer = Writer(tiny.model("LlamaForCausalLM", len(tokens)), tokens, "cpu", 256)
    monkeypatch.setattr(writer, "reply", lambda read, written, ends: Reply(TEXT))
    asked = Request([{"role": "user", "content": "which"}], max_tokens=4)
    ((_, plain),) = writer.ask([asked])
    ((_, told),) = writer.ask([Request(asked.messages, max_tokens=4, verdict=("1", "2"))])
    assert plain.likelihood == {} and set(told.likelihood) == {"1", "2"}
