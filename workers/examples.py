"""Rows that language models learn from, out of the targets that hold them: prompts with what should follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from workers.paired import Messages, lineage_of
from workers.training import Job, Settings


class Writing(Settings):
    """Parameters that every objective on language models has."""

    checkpointing: bool = Field(False, description="activations are computed twice: less memory, more time")


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and what should be written after it, or with `label` false should not."""

    split: str
    row: int
    prompt: Messages
    completion: Messages
    item: str = ""
    label: bool = True
    told: Any = None
    """What the rows of one objective know besides."""


def continued(job: Job, split: str) -> Iterator[Example]:
    """TRL's prompt and completion; unpaired rows with their label."""
    traces = lineage_of(job, split)
    for number, row in enumerate(job.rows(split)):
        item = str(traces.get(number, {}).get("item") or "")
        yield Example(split, number, row["prompt"], row["completion"], item, bool(row.get("label", True)))


def simple(messages: Messages) -> list[dict[str, str]]:
    """Messages with only role and text: what every chat template knows."""
    return [{"role": str(one.get("role", "user")), "content": words(one)} for one in messages]


def words(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n\n".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))


def length(messages: Sequence[Mapping[str, Any]]) -> int:
    """Words of a completion."""
    return sum(len(words(one).split()) for one in messages)
