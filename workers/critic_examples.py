"""What a critic should have answered: questions in the very words that critics are asked, answers in the very shape.

A row of `critique-verdict` is asked as workers/critics/verdicts.py asks it, one of `text2grad` as spans.py does; the
protocol of the project gives the words where it is known. What a row cannot answer is left out of the question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from workers.asking import Request
from workers.criticising import Subject, Wanted, Way, request, ways
from workers.examples import Example
from workers.paired import lineage_of
from workers.training import Job

CORRECT = "correct"
TYPES = "error_types"
QUESTION: dict[str, Any] = {
    "name": CORRECT, "question": "Is the response correct, in all that is asked?", "kind": "yesno", "scope": "response",
    "options": [], "required": True, "comment": "required", "comment_for": [], "evidence": "off", "when": {},
    "stop": None,
}  # fmt: skip
WAYS = {"critique-verdict": "verdicts", "text2grad": "spans"}


@dataclass(frozen=True, slots=True)
class Put:
    """A question to a critic, with what reads its answer."""

    way: Way
    wanted: Wanted
    subject: Subject
    request: Request
    truth: bool | None = None


def way_of(job: Job) -> Way:
    """The way of asking that a target teaches."""
    return ways.get(WAYS[job.target])


def wanted_of(job: Job, guidelines: bool) -> Wanted:
    """What of the protocol the rows can answer."""
    told = job.protocol
    words = str(told.get("guidelines") or "") if guidelines else ""
    if job.target == "text2grad":
        named = [one for one in (told.get("critiques") or {}).get("polarities") or () if one in ("poor", "good")]
        return Wanted(critiques={"on": True, "polarities": named or ["poor", "good"]}, guidelines=words)
    whole = [
        one for one in told.get("questions") or () if one["scope"] == "response" and one["name"] in (CORRECT, TYPES)
    ]
    asked = [one for one in whole if one["kind"] == ("yesno" if one["name"] == CORRECT else "choices")]
    known = any(one["name"] == CORRECT for one in asked)
    return Wanted(questions=asked if known else [QUESTION], guidelines=words)


def critiqued(job: Job, split: str, guidelines: bool = True) -> Iterator[Example]:
    """The rows of a split as questions and answers; `told` is a Put. Answers that do not fit their schema are left
    out: a critic must not learn them."""
    way, wanted, traces = way_of(job), wanted_of(job, guidelines), lineage_of(job, split)
    for number, row in enumerate(job.rows(split)):
        subject = Subject([{"role": "user", "content": row["prompt"]}], [[row["response"]]])
        asked = request(way, wanted, subject)
        answer = verdict(row, wanted) if way.name == "verdicts" else spans(row, wanted)
        if Draft202012Validator(asked.schema).is_valid(answer):
            put = Put(way, wanted, subject, asked, row.get("correctness") if way.name == "verdicts" else None)
            told = json.dumps(answer, ensure_ascii=False)
            item = str(traces.get(number, {}).get("item") or "")
            yield Example(
                split, number, asked.messages, [{"role": "assistant", "content": told}], item, told=put
            )  # fmt: skip


def verdict(row: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """The answers of workers/critics/verdicts.py, reason first."""
    made: dict[str, Any] = {}
    for question in wanted.questions:
        if question["name"] == CORRECT:
            made[CORRECT] = {"comment": row["critique"] or "", "answer": row["correctness"]}
        else:
            names = [option["name"] for option in question["options"]]
            kinds = [one for one in row["error_types"] or () if one in names]
            meant = all(row["correctness"] in values for values in question["when"].values())
            made[TYPES] = {"comment": "", "answer": kinds if meant else None}
    return made


def spans(row: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """The answers of workers/critics/spans.py in the order of the response. In rows of the first edition of the target
    nothing is said of a single place, so its comment is empty."""
    named = [
        (offsets[0], {"quote": quote, "comment": comment, "polarity": polarity})
        for polarity in wanted.critiques["polarities"]
        for quote, offsets, comment in zip(
            row[f"{polarity}_spans"],
            row[f"{polarity}_offsets"],
            row.get(f"{polarity}_comments") or [""] * len(row[f"{polarity}_spans"]),
            strict=True,
        )
    ]
    places = [place for _, place in sorted(named, key=lambda one: one[0])]
    return {"overall": row["textual_feedback"] or "", "critiques": places}
