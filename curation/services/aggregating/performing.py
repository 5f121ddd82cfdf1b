"""The run of `decide`: one fit for each thing that is asked, its rows written in pieces.

A worker that dies leaves whole pieces. The next one fits the same section again, which gives the same (everything is
seeded, and what is read was fixed when the run began), and goes on behind the last piece. The rows on annotators and
the choice to use the fit come with the last piece, so that no half of a fit is ever in use.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from django.db import transaction

from curation import bulk
from curation.errors import Conflict
from curation.models import Decision, Reliability, Run
from curation.services import fits
from curation.services.aggregating.asking import Scope, begun, scope_of, sections
from curation.services.aggregating.marking import Looked, texts
from curation.services.aggregating.voting import Gathered, gathered
from curation.services.deciding import BOTH_BAD, FIRST, SECOND, TIE, UNDECIDED, settled
from curation.services.running import Report
from workers import aggregating
from workers.aggregating import NO_LABEL, Aggregator, Missing, aggregators

KIND = Decision.Kind
AT_ONCE = 1000
BINS = 20
PARTS = ("value", "low", "high")
MOST_LABELS = 12
"""Of questions with more labels no confusion is kept."""
SIGN = {FIRST: -1.0, TIE: 0.0, SECOND: 1.0}
Person = dict[str, Any]
"""What a Reliability has besides the run, its kind and its name."""


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Decide section by section; the result tells of each how many, how sure, and of whom."""
    at = begun(run)
    scope = scope_of(run, at)
    everything = sections(scope)
    try:
        for number in range(at["section"], len(everything)):
            decide(run, report, scope, at, everything[number])
    except Missing as problem:
        raise Conflict(str(problem)) from None
    method = aggregators.get(scope.params.method)
    with transaction.atomic():
        pooled(run)
        fits.succeed(run)
        report.checkpoint(done=at["done"], total=at["done"], at=at)
    return {"method": method.title, "decisions": at["done"], "answers up to": at["as_of"], "sections": at["told"]}


def ended(run: Run) -> None:
    """Tell the database's planner of many decisions, for versions that follow at once."""
    if run.done > AT_ONCE:
        bulk.refresh_statistics(Decision)


def decide(run: Run, report: Report, scope: Scope, at: dict[str, Any], section: tuple[str, str]) -> None:
    """One section: fitted, its decisions written behind those that are there, then what is known of annotators."""
    kind, name = section
    began = time.monotonic()
    rows, people, told = spans(run, scope) if kind == KIND.SPAN else labels(run, scope, kind, name)
    told |= {"kind": kind, "name": name, **summary(rows)}
    if rows:
        report.log(f"{kind} {name}".strip() + f": {len(rows)} decided in {time.monotonic() - began:.1f} s")
    total = at["done"] - at["written"] + len(rows)
    while at["written"] < len(rows):
        some = rows[at["written"] : at["written"] + AT_ONCE]
        moved = {**at, "written": at["written"] + len(some), "done": at["done"] + len(some)}
        with transaction.atomic():
            Decision.objects.bulk_create(some, batch_size=AT_ONCE)
            report.checkpoint(done=moved["done"], total=total, at=moved)
        at.update(moved)
    moved = {**at, "section": at["section"] + 1, "written": 0, "told": [*at["told"], told]}
    with transaction.atomic():
        keep(run, people, kind, name)
        report.checkpoint(done=moved["done"], at=moved)
    at.update(moved)


def keep(run: Run, people: Sequence[Person], kind: str, name: str) -> None:
    made = [Reliability(project=run.home, run=run, kind=kind, axis=name, **one) for one in people]
    Reliability.objects.bulk_create(made, batch_size=AT_ONCE)


def summary(rows: Sequence[Decision]) -> dict[str, Any]:
    """How many are decided, and how sure: counts in BINS bins of confidence from 0 to 1."""
    bins = [0] * BINS
    for row in rows:
        bins[min(BINS - 1, int(row.confidence * BINS))] += 1
    sure = [row.confidence for row in rows if row.outcome != UNDECIDED]
    return {
        "decisions": len(rows),
        "undecided": len(rows) - len(sure),
        "confidence": round(sum(sure) / len(sure), 4) if sure else None,
        "bins": bins,
    }


# --- Labels -------------------------------------------------------------------------------------------


def labels(run: Run, scope: Scope, kind: str, name: str) -> tuple[list[Decision], list[Person], dict[str, Any]]:
    """The decisions of one section, what is known of its annotators, and how it was done."""
    found = gathered(scope, kind, name)
    method = method_for(scope, kind, name)
    told = {"votes": len(found.rows), "annotators": len(found.annotators), "how": method.name if method else "settled"}
    if not found.rows:
        return [], [], told
    if method is None:
        return list(settled_rows(run, name, found)), [], told
    votes = found.votes()
    fit = aggregating.fitted(method, votes, run.seed)
    outcomes, confidence = aggregating.decided(fit)
    each = by_unit(found)
    rows = [
        decision(run, kind, name, found, number, int(outcome), float(sure), each[number], method)
        for number, (outcome, sure) in enumerate(zip(outcomes, confidence, strict=True))
    ]
    few = len(found.labels) <= MOST_LABELS
    people = [
        {
            "annotator_id": pk,
            **{part: getattr(one, part) for part in (*PARTS, "n")},
            "confusion": {"labels": found.labels, "rows": one.confusion, "own": one.own} if few else {"own": one.own},
        }
        for pk, one in zip(found.annotators, aggregating.reliabilities(votes, fit), strict=True)
    ]
    return rows, people, told


def method_for(scope: Scope, kind: str, name: str) -> Aggregator | None:
    """The method of a section; None for answers that are numbers or lists, of which the middle or the most named count.

    Strengths of responses say nothing of a question, which is then decided by majority."""
    chosen = aggregators.get(scope.params.method)
    if kind != KIND.QUESTION:
        return chosen
    asked: Any = next((one for one in (scope.protocol.questions if scope.protocol else []) if one["name"] == name), {})
    if asked.get("kind") in ("rating", "choices"):
        return None
    return aggregators.get("majority") if chosen.pairs_only else chosen


def by_unit(found: Gathered) -> list[list[int]]:
    """The votes of each unit, as places in `rows`."""
    each: list[list[int]] = [[] for _ in found.units]
    for place, (unit, _, _) in enumerate(found.rows):
        each[unit].append(place)
    return each


def decision(
    run: Run,
    kind: str,
    name: str,
    found: Gathered,
    number: int,
    label: int,
    sure: float,
    mine: list[int],
    how: Aggregator,
) -> Decision:
    """One row. The strength is the mean of those that are on the decided side, the least where none is."""
    row = bare(run, kind, name, found, number, mine, how.name)
    row.confidence = min(1.0, max(0.0, sure))
    if label == NO_LABEL:
        row.outcome = UNDECIDED
    elif kind == KIND.QUESTION:
        row.answer = found.labels[label]
        row.outcome = words(row.answer)
    else:
        row.outcome = found.labels[label]
        given = [found.strengths[one] for one in mine if found.rows[one][2] == label]
        told = [one for one in given if one is not None]
        if row.outcome != BOTH_BAD:
            row.value = sum(told) / len(told) if told else SIGN[row.outcome]
    return row


def bare(run: Run, kind: str, name: str, found: Gathered, number: int, mine: list[int], how: str) -> Decision:
    unit = found.units[number]
    return Decision(
        project=run.home,
        run=run,
        task_id=unit.task,
        kind=kind,
        name=name,
        place=unit.place,
        response_id=unit.response,
        first_id=unit.first,
        second_id=unit.second,
        start=unit.start,
        end=unit.end,
        votes=len(mine),
        annotations=[found.annotations[one] for one in mine],
        how=how,
    )


def settled_rows(run: Run, name: str, found: Gathered) -> Iterator[Decision]:
    """Ratings by their median, lists of labels by what more than half name; the confidence is the share of answers
    that are just that."""
    for number, mine in enumerate(by_unit(found)):
        answers = [found.labels[found.rows[one][2]] for one in mine]
        row = bare(run, KIND.QUESTION, name, found, number, mine, "settled")
        row.answer = settled(answers)
        row.outcome = UNDECIDED if row.answer is None else words(row.answer)
        row.confidence = sum(same(answer, row.answer) for answer in answers) / len(answers)
        yield row


def same(answer: Any, decided: Any) -> bool:
    return sorted(answer) == sorted(decided) if isinstance(answer, list) and decided is not None else answer == decided


def words(answer: Any) -> str:
    """An answer in one line."""
    text = answer if isinstance(answer, str) else orjson.dumps(answer).decode()
    return text[:200]


# --- Spans --------------------------------------------------------------------------------------------


def spans(run: Run, scope: Scope) -> tuple[list[Decision], list[Person], dict[str, Any]]:
    """Every decided span, and how far each annotator's spans are those of the others."""
    vote = aggregators.get("span_vote")
    assert vote.spans is not None
    looked = list(texts(scope))
    found = vote.spans([one.marks for one in looked], scope.params.threshold, run.seed)
    rows = [span(run, text, one, vote.name) for text, spans in zip(looked, found.spans, strict=True) for one in spans]
    people = [
        {
            "annotator_id": pk,
            "n": found.n[pk],
            **({"value": told.value, "low": told.low, "high": told.high} if told else {}),
        }
        for pk, told in found.reliability.items()
    ]
    whose = {who for text in looked for who in text.marks}
    marked = sum(len(marks) for text in looked for marks in text.marks.values())
    return rows, people, {"votes": marked, "annotators": len(whose), "texts": len(looked), "how": vote.name}


def span(run: Run, text: Looked, one: Any, how: str) -> Decision:
    return Decision(
        project=run.home,
        run=run,
        task_id=text.task,
        kind=KIND.SPAN,
        place=f"span:{text.response}:{text.message}:{one.start}",
        response_id=text.response,
        message=text.message,
        start=one.start,
        end=one.end,
        outcome=one.type,
        answer={"severity": one.severity, "polarity": one.polarity},
        confidence=one.confidence,
        votes=len(text.marks),
        annotations=one.annotations,
        how=how,
    )


# --- All sections together ----------------------------------------------------------------------------


def pooled(run: Run) -> None:
    """For each annotator one row over all labels, weighed by their answers; over spans where there is nothing else.

    Its interval is the mean of theirs: what is asked on one task goes together, so they do not become narrower."""
    each: dict[int, list[Reliability]] = {}
    for row in Reliability.objects.filter(run=run).exclude(kind="").order_by("annotator_id", "pk"):
        each.setdefault(row.annotator_id, []).append(row)
    keep(run, [{"annotator_id": pk, **mean_of(rows)} for pk, rows in each.items()], "", "")


def mean_of(rows: Sequence[Reliability]) -> Person:
    told = [row for row in rows if row.value is not None]
    mine = [row for row in told if row.kind != KIND.SPAN] or told
    n = sum(row.n for row in mine)
    if not n:
        return {"n": 0}
    return {"n": n, **{part: sum(row.n * (getattr(row, part) or 0.0) for row in mine) / n for part in PARTS}}
