"""MT-Bench and arena votes: two conversations with expert votes, or with one winner.

Zheng et al., Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena, 2023 (arXiv 2306.05685). A vote on turn 1
is about the first answer, a vote on turn 2 about both; the responses hold the conversation up to that turn. In an
arena's file `turn` counts the turns, and `judge` names whose `winner` it is.
"""

from __future__ import annotations

from typing import Any

from workers.checks import identifier, messages, optional_text, rest
from workers.continuations import continued, shared_prefix
from workers.readers import Options, Reader, Row, readers
from workers.readers.votes import VALUE, votes, winner
from workers.rows import ItemRow, Message, RowError, VoteRow

USED = ("id", "conversation_a", "conversation_b", "model_a", "model_b", "votes", "gpt4_pair", "winner", "judge")


def detect(row: Row) -> int:
    return 9 if {"conversation_a", "conversation_b"} <= row.keys() else 0


def read(row: Row, options: Options) -> ItemRow:
    turn = row.get("turn", 2)
    if isinstance(turn, bool) or not isinstance(turn, int) or turn < 1:
        raise RowError("must be a whole number from 1 on", "turn")
    first, second = (up_to(messages(row.get(f), f), turn) for f in ("conversation_a", "conversation_b"))
    shared = shared_prefix(first, second)
    if not shared:
        raise RowError("shares no question with conversation_a", "conversation_b")
    return ItemRow(
        prompt=first[:shared],
        responses=[
            continued(first[shared:], "conversation_a", optional_text(row, "model_a")),
            continued(second[shared:], "conversation_b", optional_text(row, "model_b")),
        ],
        external_id=identifier(row, "id"),
        votes=votes(row.get("votes"))
        + winner(row.get("winner"), "winner", optional_text(row, "judge"))
        + by_judge(row.get("gpt4_pair")),
        metadata=rest(row, *USED),
    )


def up_to(found: list[Message], turn: int) -> list[Message]:
    """A conversation up to the assistant's answer of `turn`."""
    answers = [n for n, m in enumerate(found) if m["role"] == "assistant"]
    return found[: answers[turn - 1] + 1] if len(answers) >= turn else found


def by_judge(value: Any) -> list[VoteRow]:
    """GPT-4's verdict. Where it changed with the order of the answers, the source counts it as a tie."""
    said = value[0] if isinstance(value, list) and value else value
    if said == "tie_inconsistent":
        return [VoteRow("gpt-4", 0, kind="model", rationale="the verdict changed with the order of the answers")]
    return [VoteRow("gpt-4", VALUE[said], kind="model")] if isinstance(said, str) and said in VALUE else []


readers.add(
    Reader(
        name="mt-bench",
        title="MT-Bench and arena votes: two conversations",
        detect=detect,
        read=read,
        example='{"conversation_a": [{"role": "user", "content": "…"}, …], "conversation_b": […], "votes": […]}',
    )
)
