"""What critics answered, kept: each question is put to a model once, whatever becomes of the work that asked it.

A completion is written as soon as it is there, outside the transaction of its shard, so that a shard that is tried
again pays for nothing twice. One row is one call; an answer that could not be read is asked for once more, as JSON
only, and that is another row. How likely a model was to give each verdict is kept beside the verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from curation.models import Completion, ModelVersion
from workers import criticising
from workers.asking import Reply, Request, Speaker
from workers.replies import Read, clean, read

LOOKED_UP = 500
LIKELIHOOD = "likelihood"
"""Beside the fields of an answer that has a verdict: the log-probability of each value, where it is known."""
Status = Completion.Status


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to one question. `tokens` are those spent now: none where the answer was kept already."""

    status: str
    parsed: Any = None
    raw: str = ""
    tokens: int = 0
    tokens_out: int = 0
    calls: int = 0
    refused: str = ""
    """Why the model did not take the question; such an answer is not kept."""


def completed(
    model: ModelVersion,
    speaker: Speaker,
    requests: Sequence[Request],
    told: Callable[[Reply | None], None],
    coolest: float | None = None,
) -> list[Done]:
    """The answers, in order. `told` hears each reply that was paid for, and nothing now and then; it may raise.

    What could not be read is asked once more, no hotter than `coolest`.
    """
    first = once(model, speaker, requests, told)
    unread = [n for n, done in enumerate(first) if done.status == Status.UNPARSED]
    again = [criticising.again(requests[n], first[n].raw, coolest) for n in unread]
    for n, done in zip(unread, once(model, speaker, again, told), strict=True):
        first[n] = mended(first[n], done)
    return first


def mended(before: Done, done: Done) -> Done:
    """Two calls as one answer: repaired, if the second could be read. Otherwise the first raw text is told."""
    said = before if done.parsed is None else replace(done, status=Status.REPAIRED)
    return replace(
        said,
        tokens=before.tokens + done.tokens,
        tokens_out=before.tokens_out + done.tokens_out,
        calls=before.calls + done.calls,
    )


def once(
    model: ModelVersion, speaker: Speaker, requests: Sequence[Request], told: Callable[[Reply | None], None]
) -> list[Done]:
    """One call for each question that was never asked; equal ones are asked once."""
    names = [hashed(model, request) for request in requests]
    found = kept(model, names)
    missing = {name: n for n, name in enumerate(names) if name not in found}
    asked = list(missing.items())
    replies = speaker.ask([requests[n] for _, n in asked], lambda: told(None)) if asked else ()
    for place, reply in replies:
        name, n = asked[place]
        found[name] = Done("", refused=reply.refused) if reply.refused else keep(model, name, requests[n], reply)
        if not reply.refused:
            told(reply)
    paid = set(missing.values())
    return [found[name] if n in paid else unpaid(found[name]) for n, name in enumerate(names)]


def unpaid(done: Done) -> Done:
    return replace(done, tokens=0, tokens_out=0, calls=0)


def kept(model: ModelVersion, names: Sequence[str]) -> dict[str, Done]:
    """The completions that there are, by hash."""
    found = {}
    for start in range(0, len(names), LOOKED_UP):
        rows = Completion.objects.filter(model=model, prompt_hash__in=names[start : start + LOOKED_UP])
        for name, status, parsed, raw in rows.values_list("prompt_hash", "status", "parsed", "raw"):
            found[name] = Done(status, parsed, raw)
    return found


def keep(model: ModelVersion, name: str, request: Request, reply: Reply) -> Done:
    """Write a completion; of two workers that asked the same at the same time the first one's answer stays."""
    # an answer without a schema is text as it stands
    answer = read(reply.text, request.schema, cut=reply.cut) if request.schema else Read(None, "ok")
    status = Status.TRUNCATED if reply.cut and answer.value is None else answer.status
    likely = {LIKELIHOOD: dict(reply.likelihood)} if reply.likelihood and answer.value is not None else {}
    row, _ = Completion.objects.get_or_create(
        model=model,
        prompt_hash=name,
        defaults={
            "raw": clean(reply.text),
            "parsed": {**answer.value, **likely} if likely else answer.value,
            "status": status,
            "tokens": reply.tokens,
            "tokens_out": reply.tokens_out,
        },
    )
    return Done(row.status, row.parsed, row.raw, reply.tokens, reply.tokens_out, calls=1)


def hashed(model: ModelVersion, request: Request) -> str:
    """SHA-256 of all that an answer depends on besides the weights: messages, schema, sampling, server settings."""
    how = {
        "messages": request.messages,
        "schema": request.schema,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "seed": request.seed if request.temperature > 0 else 0,
        "json_schema": bool(model.config.get("json_schema")),
        "body": model.config.get("body"),
    }
    if request.verdict:
        how["verdict"] = [*request.verdict, bool(model.config.get("logprobs"))]
    return hashlib.sha256(orjson.dumps(how, option=orjson.OPT_SORT_KEYS)).hexdigest()
