"""Training of critics that write, and what they say on questions that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from workers.asking import Reply
from workers.examples import Example
from workers.held_out_texts import LONGEST_TOLD, Asked
from workers.nn.fitting import save
from workers.nn.generating import Writer
from workers.nn.language import opened
from workers.nn.objectives import sft
from workers.replies import read
from workers.training import Job

ROUNDED = 64


def fine_tuned(job: Job, given: Sequence[Example], held: Sequence[Example]) -> tuple[dict[str, Any], list[Asked], int]:
    """Fine-tune, then ask; what it took, the held-out rows, and how many tokens an answer may have.

    Raises ValueError when there are too few rows.
    """
    torch.manual_seed(job.seed)
    base = opened(job)
    ran, found = sft(job, base, given, held)
    model = ran.model.merge_and_unload() if hasattr(ran.model, "merge_and_unload") else ran.model
    save(model, base.tokenizer, job.model)
    tokens = [base.form.tokens(one.prompt, one.completion) for one in given]
    longest = max(len(one.ids) - one.start for one in tokens)
    longest += -longest % ROUNDED
    model.eval()
    writer = Writer(model, base.tokenizer, str(model.device), base.form.max_length + longest)
    places = {(one.split, one.row): one for one in held}
    rows = [Asked(**{name: value for name, value in asdict(one).items() if name != "words"}) for one in found]
    put = [places[one.split, one.row].told for one in rows[: job.settings.ask]]
    if put:
        job.log(f"asking {len(put)} held-out questions")
    for number, reply in writer.ask([replace(one.request, max_tokens=longest) for one in put]):
        rows[number] = answered(rows[number], put[number], reply)
    return ran.took, rows, longest


def answered(row: Asked, put: Any, reply: Reply) -> Asked:
    """A reply read as that of any critic."""
    answer = read(reply.text, put.request.schema, cut=reply.cut)
    heard = put.way.read(put.wanted, put.subject, answer.value) if answer.value is not None else None
    status = "refused" if reply.refused else "truncated" if reply.cut and heard is None else answer.status
    verdicts = [one["answer"] for one in heard.verdicts if one["question"] == "correct"] if heard else []
    quotes = [one for one in heard.critiques if one["quote"]] if heard else []
    return replace(
        row,
        asked=True,
        status=status,
        verdict=verdicts[0] if verdicts else None,
        truth=put.truth,
        quotes=len(quotes),
        found=sum(one["start"] is not None for one in quotes),
        reply=(reply.text or reply.refused)[:LONGEST_TOLD],
    )
