"""One prompt, one or two responses, and what a model says of them: method `try-model`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from pydantic import Field

from curation.errors import Conflict, Invalid, NotFound
from curation.models import ModelVersion, Run, User
from curation.services import candidates, running
from curation.services.method import Method, Params
from curation.services.running import Report
from workers.judging import Candidate, Given, Judged, OutOfMemory, Unusable

MOST_CHARS = 20_000
PLACES_SHOWN = 4_000
LEVELS = 4
"""Shades of the heat map on either side."""


class TryParams(Params):
    model: int
    prompt: str = Field(max_length=MOST_CHARS)
    responses: list[str] = Field(min_length=1, max_length=2)


def begin(version: ModelVersion, *, prompt: str, responses: Sequence[str], user: User) -> Run:
    """Queue a try. Raises Invalid naming the field, Conflict if the model is not ready."""
    if version.state != ModelVersion.State.READY or version.retired_at:
        raise Conflict("only a model that is ready can be tried")
    if version.kind == ModelVersion.Kind.POLICY:
        raise Conflict("a policy writes responses and judges none")
    given = [text for text in responses if text.strip()]
    if not given:
        raise Invalid("write a response to judge", field="response")
    for field, text in [("prompt", prompt), *(("response", text) for text in given)]:
        if len(text) > MOST_CHARS:
            raise Invalid(f"longer than {MOST_CHARS} characters", field=field)
    return running.start(
        project=None,
        method="try-model",
        params=TryParams(model=version.pk, prompt=prompt, responses=given[:2]).model_dump(),
        user=user,
        unit="responses",
        model=version,
        queue=running.queue_for(version),
    )


def execute(run: Run, report: Report) -> dict[str, Any]:
    params = TryParams.model_validate(run.params)
    version = ModelVersion.objects.select_related("made_by").get(pk=params.model)
    given = Given(
        key=0,
        prompt=[{"role": "user", "content": params.prompt}],
        candidates=[Candidate(place, text) for place, text in enumerate(params.responses)],
    )
    try:
        judged = list(candidates.opened(version).judge([given]))
    except Unusable as error:
        raise Conflict(str(error)) from None
    except OutOfMemory:
        raise Conflict("it does not fit into the worker's memory") from None
    result = {"responses": [said(one) for one in judged], **compared(version.kind, judged)}
    with transaction.atomic():
        report.checkpoint(done=len(judged), total=len(judged))
    return result


def said(one: Judged) -> dict[str, Any]:
    """What was said of one response, as the run keeps it."""
    told = {
        "scores": {head: round(value, 6) for head, value in one.scores.items()},
        "spread": one.spread,
        "maps": [asdict(mapped) for mapped in one.maps if len(mapped.values) <= PLACES_SHOWN],
        "critiques": [dict(critique) for critique in one.critiques],
        "verdicts": [dict(verdict) for verdict in one.verdicts],
        "dimensions": len(one.vector),
        "raw": one.raw[:MOST_CHARS],
        "status": "" if one.status == "ok" else one.status,
        "tokens": one.tokens,
        "truncated": one.truncated,
    }
    return {name: value for name, value in told.items() if value not in (None, [], {}, "", False, 0)}


def compared(kind: str, judged: Sequence[Judged]) -> dict[str, Any]:
    """Of two responses: the margin and P(second is better), or how alike their vectors are."""
    if len(judged) != 2:
        return {}
    first, second = judged
    if first.vector and second.vector:
        return {"similarity": round(cosine(first.vector, second.vector), 4)}
    head = next((head for head in first.scores if head in second.scores), None)
    if head is None:
        return {}
    margin = second.scores[head] - first.scores[head]
    if kind == ModelVersion.Kind.COST:
        margin = -margin
    return {"margin": round(margin, 6), "second_better": round(sigmoid(margin), 4)}


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    size = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / size if size else 0.0


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def tried(version: ModelVersion, run_id: Any, user: User) -> Run:
    """A try of this model that `user` began. Raises NotFound."""
    found = Run.objects.filter(pk=run_id, model=version, method="try-model", created_by=user).first()
    if found is None:
        raise NotFound("no such try")
    return found


def shaded(text: str, mapped: dict[str, Any]) -> list[tuple[str, int, float | None]]:
    """A text in pieces: each with its shade from -LEVELS to LEVELS and its value; None between the places."""
    values = [float(value) for value in mapped["values"]]
    most = max((abs(value) for value in values), default=0.0) or 1.0
    pieces: list[tuple[str, int, float | None]] = []
    at = 0
    for (start, end), value in zip(mapped["offsets"], values, strict=True):
        if start < at or end <= start:
            continue
        if start > at:
            pieces.append((text[at:start], 0, None))
        level = math.ceil(abs(value) / most * LEVELS - 0.5) if value else 0
        pieces.append((text[start:end], level if value > 0 else -level, value))
        at = end
    if at < len(text):
        pieces.append((text[at:], 0, None))
    return pieces


METHOD = Method(
    name="try-model",
    title="Try a model",
    about="What a model says of one or two responses that somebody typed.",
    params=TryParams,
    unit="responses",
    execute=execute,
    startable=False,
    needs_project=False,
)
