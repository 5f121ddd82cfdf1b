"""What answers and suggestions say, side by side: how far one agrees with others on the same task."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import fmean
from typing import Any

from curation.models import Annotation, Critique, Preference, Project, Rank, Verdict
from curation.services.label_names import Reading, current_names

Spans = Mapping[tuple[int, int], list[tuple[int, int]]]
"""Half-open spans by response and message."""


@dataclass(slots=True)
class Content:
    """What one answer says, under the present names of labels."""

    reading: Reading
    texts: frozenset[str] = frozenset()
    """Questions that are answered in words, on which nobody agrees to the letter."""
    asks_critiques: bool = False
    preferences: dict[str, str] = field(default_factory=dict)
    verdicts: dict[tuple[int, str, int | None], Any] = field(default_factory=dict)
    critiques: set[tuple[Any, ...]] = field(default_factory=set)
    spans: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    ranks: dict[int, int] = field(default_factory=dict)
    reviews: list[tuple[str, int | None]] = field(default_factory=list)
    """What became of each suggestion that it was made from, and after how many ms."""

    def same_as(self, other: Content) -> bool:
        names = ("preferences", "verdicts", "critiques", "ranks")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def contents(project: Project, ids: Iterable[int]) -> dict[int, Content]:
    """What annotations of a project say, in seven statements."""
    wanted = set(ids)
    found = blank(project, wanted)
    mine = {"annotation__in": wanted}
    for pk, axis, value, both_bad in Preference.objects.filter(**mine).values_list(
        "annotation_id", "axis", "value", "both_bad"
    ):
        if name := found[pk].reading.axis(axis):
            found[pk].preferences[name] = "both_bad" if both_bad else str(value)
    for pk, response, question, start, answer, review, ms in Verdict.objects.filter(**mine).values_list(
        "annotation_id", "response_id", "question", "start", "answer", "review", "review_ms"
    ):
        add_verdict(found[pk], (response, question, start), answer)
        if review:
            found[pk].reviews.append((review, ms))
    for pk, review, ms, *said in Critique.objects.filter(**mine).values_list(
        "annotation_id", "review", "review_ms", "response_id", "message", "start", "end", *SAID
    ):
        if review:
            found[pk].reviews.append((review, ms))
        if review != Critique.Review.REJECTED:
            add_critique(found[pk], said)
    for pk, response, rank in Rank.objects.filter(**mine).values_list("annotation_id", "response_id", "rank"):
        found[pk].ranks[response] = rank
    return found


SAID = ("type", "severity", "polarity", "comment", "edit", "omission")


def blank(project: Project, ids: set[int]) -> dict[int, Content]:
    names = current_names(project.protocol) if project.protocol else None
    made: dict[int, dict[str, Any]] = {}
    for protocol in project.protocols.all():
        texts = frozenset(question["name"] for question in protocol.questions if question.get("kind") == "text")
        reading = names.of(protocol.pk) if names else Reading()
        made[protocol.pk] = {
            "reading": reading,
            "texts": texts,
            "asks_critiques": bool(protocol.critiques.get("on")),
        }
    rows = Annotation.objects.filter(pk__in=ids).values_list("pk", "protocol_id")
    return {pk: Content(**made[protocol]) for pk, protocol in rows}


def add_verdict(content: Content, key: tuple[int, str, int | None], answer: Any) -> None:
    response, question, start = key
    if question in content.texts or not (name := content.reading.question(question)):
        return
    read = content.reading.answer(question, answer)
    if read is not None:
        content.verdicts[response, name, start] = frozenset(map(str, read)) if isinstance(read, list) else read


def add_critique(content: Content, said: Sequence[Any]) -> None:
    response, message, start, end = said[:4]
    content.critiques.add(tuple(said))
    if start is not None and end > start:
        content.spans.setdefault((response, message), []).append((start, end))


def agreement(said: Content, suggested: Sequence[Content]) -> dict[str, float]:
    """From 0 to 1, how far an answer agrees with the latest suggestion that says something of the kind.

    Of preferences and ranks the direction counts, not the strength; of verdicts all that were suggested; of
    critiques the characters that both mark. What nobody suggested is left out. `suggested` has the latest first.
    """
    found: dict[str, float] = {}
    leanings = ChainMap(*(one.preferences for one in suggested))
    if axes := leanings.keys() & said.preferences.keys():
        found["preferences"] = fmean(side(leanings[axis]) == side(said.preferences[axis]) for axis in axes)
    verdicts = ChainMap(*(one.verdicts for one in suggested))
    if verdicts:
        found["verdicts"] = fmean(said.verdicts.get(key) == answer for key, answer in verdicts.items())
    if ranks := next((one.ranks for one in suggested if one.ranks), None):
        pairs = list(combinations(sorted(ranks.keys() & said.ranks.keys()), 2))
        if pairs:
            found["ranks"] = fmean(order(ranks, pair) == order(said.ranks, pair) for pair in pairs)
    if spans := next((one.spans for one in suggested if one.spans), None):
        found["spans"] = overlap_f1(spans, said.spans)
    return found


def side(outcome: str) -> str | int:
    """The direction of a preference: first, tie, second, or both bad."""
    if outcome == "both_bad":
        return outcome
    return (int(outcome) > 0) - (int(outcome) < 0)


def order(ranks: Mapping[int, int], pair: tuple[int, int]) -> int:
    one, other = ranks[pair[0]], ranks[pair[1]]
    return (one > other) - (one < other)


def overlap_f1(one: Spans, other: Spans) -> float:
    """Soft overlap of spans: twice the characters that both mark, of those that each marks (Dice 1945)."""
    places = one.keys() | other.keys()
    marked = sum(width(spans) for spans in (*one.values(), *other.values()))
    either = sum(width([*one.get(place, ()), *other.get(place, ())]) for place in places)
    return 2 * (marked - either) / marked if marked else 0.0


def width(spans: Iterable[tuple[int, int]]) -> int:
    """How many characters spans cover, each once."""
    covered, reached = 0, 0
    for start, end in sorted(spans):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered
