"""AlpacaEval: many models' answers to one prompt, each judged by GPT-4 against a baseline answer.

Dubois et al., Length-Controlled AlpacaEval, 2024 (arXiv 2404.04475). Pairs are (baseline, each answer); the
win rate against the baseline is a model's vote with its probability.
"""

from __future__ import annotations

from typing import Any

from workers.checks import identifier, kind_of, prompt, rest, text
from workers.continuations import response
from workers.readers import Options, Reader, Row, readers
from workers.rows import ItemRow, ResponseRow, RowError, VoteRow

JUDGE = "gpt-4-turbo"
RATE = "gpt4_win_rate_vs_baseline"


def detect(row: Row) -> int:
    return 12 if "baseline" in row and isinstance(row.get("responses"), list) else 0


def read(row: Row, options: Options) -> ItemRow:
    answers = row.get("responses")
    if not isinstance(answers, list) or not answers:
        raise RowError("must be a list of answers", "responses")
    compared = [answer(value, f"responses.{n}") for n, value in enumerate(answers)]
    rates = [win_rate(value, f"responses.{n}") for n, value in enumerate(answers)]
    return ItemRow(
        prompt=prompt(row.get("prompt")),
        responses=[answer(row.get("baseline"), "baseline"), *compared],
        external_id=identifier(row, "id"),
        pairs=[(0, n) for n in range(1, len(answers) + 1)],
        votes=[against_baseline(n, rate) for n, rate in enumerate(rates, 1) if rate is not None],
        metadata=rest(row, "id", "prompt", "baseline", "responses"),
    )


def answer(value: Any, field: str) -> ResponseRow:
    if not isinstance(value, dict):
        raise RowError(f"must be an object with model and text, not {kind_of(value)}", field)
    return response(value.get("text"), f"{field}.text", text(value, "model"))


def win_rate(value: dict[str, Any], field: str) -> float | None:
    rate = value.get(RATE)
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise RowError("must be a number from 0 to 1", f"{field}.{RATE}")
    return float(rate)


def against_baseline(index: int, rate: float) -> VoteRow:
    value = 0 if abs(rate - 0.5) < 0.05 else (1 if rate > 0.5 else -1)
    return VoteRow(JUDGE, value, first=0, second=index, kind="model", probability=rate)


readers.add(
    Reader(
        name="alpaca-eval",
        title="AlpacaEval: answers judged against a baseline",
        detect=detect,
        read=read,
        example='{"prompt": "…", "baseline": {"model": "…", "text": "…"}, "responses": [{"model": "…", "text": "…"}]}',
    )
)
