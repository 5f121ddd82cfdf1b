"""Why a response was not preferred, in the words of those who said so: verdicts, critiques, rationales, proposals.

Looked up for some hundred candidates at a time, among the answers that the version reads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from curation import bulk
from curation.services.deciding import ANSWERED
from curation.services.freezing import curated
from curation.services.freezing.selecting import Candidate, Selection, loaded
from curation.services.past import fetched

AT_ONCE = 500
RIGHT = frozenset(("correct", "safe", "faithful"))
"""Questions to which yes is no reason against a response."""
VERDICTS = """
SELECT v.response_id, v.question, v.answer, v.comment {answered} JOIN curation_verdict v ON v.annotation_id = a.id
{standing} AND v.response_id {among} AND v.review <> 'rejected' ORDER BY a.id, v.id
"""
CRITIQUES = """
SELECT c.response_id, c.type, c.severity, c.quote, c.comment, c.edit {answered}
JOIN curation_critique c ON c.annotation_id = a.id
{standing} AND c.response_id {among} AND c.review <> 'rejected' AND (c.polarity IS NULL OR c.polarity < 0)
ORDER BY a.id, c.id
"""
RATIONALES = """
SELECT a.task_id, a.rationale {answered} {standing} AND a.rationale <> '' AND a.task_id {among} ORDER BY a.id
"""
Told = dict[int, list[str]]


def told(selection: Selection, found: Iterator[Candidate]) -> Iterator[Candidate]:
    """Candidates that give rows, with the reasons against their rejected response."""
    while some := list(islice(found, AT_ONCE)):
        open_ones = [one for one in some if one.reason is None and one.responses]
        wrong = {one.responses[-1] for one in open_ones}
        tasks = {one.lineage[0]["task"] for one in open_ones}
        said, why = against(selection, wrong), rationales(selection, tasks)
        turned = flipped(selection, {one.item_id for one in open_ones})
        for one in some:
            if one.reason is not None or not one.responses:
                yield one
                continue
            reasons = [
                *said.get(one.responses[-1], ()),
                *why.get(one.lineage[0]["task"], ()),
                *turned.get(one.responses[::-1], ()),
            ]
            yield replace(one, given=replace(one.given, reasons=list(dict.fromkeys(reasons))))


def against(selection: Selection, responses: Collection[int]) -> Told:
    """What verdicts and critiques say of responses."""
    found: Told = defaultdict(list)
    for response, question, answer, comment in looked_up(selection, VERDICTS, responses):
        given = loaded(answer)
        if not (given is True and question in RIGHT and not comment):
            found[response].append(": ".join(part for part in (question, shown(given), comment) if part))
    for response, kind, severity, quote, comment, edit in looked_up(selection, CRITIQUES, responses):
        label = ", ".join(part for part in (kind, severity) if part)
        meant = " → ".join(part for part in (f"“{quote}”" if quote else "", edit or "") if part)
        found[response].append(": ".join(part for part in (label, meant, comment) if part) or "criticised")
    return found


def rationales(selection: Selection, tasks: Collection[int]) -> Told:
    found: Told = defaultdict(list)
    for task, words in looked_up(selection, RATIONALES, tasks):
        found[task].append(words)
    return found


def flipped(selection: Selection, items: Collection[int]) -> Mapping[Sequence[int], list[str]]:
    """Why labels were turned, by (chosen, rejected) as they were before."""
    found: dict[Sequence[int], list[str]] = defaultdict(list)
    if selection.filters.curated and items:
        for _, _, chosen, rejected, action, cause in curated.of_items(selection, items):
            if action == "flip":
                found[(chosen, rejected)].append(f"turned: {cause}")
    return found


def shown(answer: Any) -> str:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return ", ".join(map(str, answer)) if isinstance(answer, list) else str(answer)


def looked_up(selection: Selection, sql: str, ids: Collection[int]) -> list[tuple[Any, ...]]:
    if not ids:
        return []
    among, given = bulk.one_of(sorted(ids))
    statement = sql.format(answered=ANSWERED, standing=selection.condition, among=among)
    return fetched(statement, [*selection.params, given])
