"""What people and models said in another tool, as a row of Touchstone's own format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from workers.rows import Found, RowError
from workers.switching import SHAPE, Left
from workers.switching.asked import MOST_LABELS, Use, clean, kind_of, types_of
from workers.switching.preferring import BOTH_BAD


@dataclass(slots=True)
class Opinion:
    """What one person or model says of a record: values by question, as its tool module has made them plain.

    A value is an option (label), a list of options (labels), a number (rating), a text, a list of (option, rank), or a
    list of spans: critiques of our format whose `type` is a list of options.
    """

    annotator: str
    kind: str = "person"
    said: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    active_ms: int | None = None
    comment: str = ""


@dataclass(slots=True)
class Record:
    """A record with the prompt and the responses taken apart; a response that a record lacks is None."""

    id: Any
    prompt: Any
    responses: list[Any]
    models: Sequence[str] = ()
    documents: Sequence[Mapping[str, str]] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    opinions: list[Opinion] = field(default_factory=list)


class Speaker:
    """Turns records into rows, by the uses of their questions; what does not fit is counted in `left`."""

    def __init__(self, uses: Sequence[Use], left: Left) -> None:
        self.uses = {use.question.name: use for use in uses}
        self.kind = kind_of(uses)
        self.types = {label["name"] for label in types_of(uses)}
        self.left = left

    def row(self, record: Record) -> dict[str, Any]:
        """The row; its places of responses are those of the responses that are there."""
        there = [n for n, response in enumerate(record.responses) if response not in (None, "", [])]
        places = {n: place for place, n in enumerate(there)}
        models = [*record.models, *[""] * len(record.responses)]
        row: dict[str, Any] = {
            "id": record.id,
            "prompt": record.prompt,
            "responses": [response_of(record.responses[n], models[n]) for n in there],
            "votes": [],
            "answers": [],
            "metadata": dict(record.metadata),
        }
        if record.documents:
            row["context"] = {"documents": list(record.documents)}
        for opinion in record.opinions:
            votes, answers = self.speak(opinion, places)
            row["votes"] += votes
            row["answers"] += answers
        return {name: value for name, value in row.items() if value not in ([], {}) or name in ("responses", "prompt")}

    def speak(self, opinion: Opinion, places: Mapping[int, int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The votes and the answers of one opinion."""
        votes: list[dict[str, Any]] = []
        answers: dict[int, dict[str, Any]] = {}
        reasons = [opinion.comment] if opinion.comment else []
        ranking: dict[str, Any] | None = None
        for name, value in opinion.said.items():
            use = self.uses.get(name)
            if value is None or value == "":
                continue
            if use is None or use.becomes == "nothing":
                self.left[not_taken(name, use)] += 1
            elif use.becomes == "rationale":
                reasons.append(str(value))
            elif use.becomes in ("axis", "best"):
                votes += self.votes(use, value, places)
            elif use.becomes == "ranks" and self.kind == "ranking" and ranking is None:
                ranking = self.ranking(use, value, places)
            elif use.becomes == "ranks":
                votes += self.compared(use, value, places)
            else:
                self.answer(use, value, places, answers)
        words = "\n\n".join(dict.fromkeys(reasons))
        self.scored(opinion, answers, bool(votes or ranking))
        who = {"annotator": opinion.annotator, "kind": opinion.kind}
        spoken = [who | vote for vote in votes]
        found = [who | {"response": at, "version": opinion.version} | said for at, said in answers.items()]
        if ranking:
            found.insert(0, who | {"version": opinion.version} | ranking)
        if words:
            if not spoken and not found and places:
                found = [who | {"response": 0, "version": opinion.version}]
            for first in (spoken or found)[:1]:
                first["rationale"] = words
        if opinion.active_ms is not None and found:
            found[0]["active_ms"] = opinion.active_ms
        return spoken, found

    def votes(self, use: Use, value: Any, places: Mapping[int, int]) -> list[dict[str, Any]]:
        said = use.values.get(value)
        if said is None:
            self.left[f"the answer {value!r} of {use.question.name}: it prefers no response"] += 1
            return []
        if use.becomes == "best":
            others = [n for n in places if n != said]
            if said not in places:
                self.left[f"answers of {use.question.name} on a response that a record lacks"] += 1
                return []
            return [vote(use.name, places[said], places[n], -1) for n in others]
        if {0, 1} - places.keys():
            self.left[f"answers of {use.question.name} on a response that a record lacks"] += 1
            return []
        return [vote(use.name, places[0], places[1], said)]

    def ranked(self, use: Use, value: Any, places: Mapping[int, int]) -> dict[int, int]:
        """The rank of each response that is there, by its place."""
        found: dict[int, int] = {}
        for option, rank in value:
            n = option if isinstance(option, int) and not use.values else use.values.get(option)
            if isinstance(n, int) and n in places:
                found[places[n]] = rank
            else:
                self.left[f"ranks of {use.question.name} for what is no response"] += 1
        return found

    def ranking(self, use: Use, value: Any, places: Mapping[int, int]) -> dict[str, Any] | None:
        ranks = self.ranked(use, value, places)
        if len(ranks) < len(places):
            self.left[f"answers of {use.question.name} that rank only some of the responses"] += 1
            return None
        order = sorted(set(ranks.values()))
        return {"ranks": [order.index(ranks[n]) + 1 for n in range(len(places))]}

    def compared(self, use: Use, value: Any, places: Mapping[int, int]) -> list[dict[str, Any]]:
        """A ranking where pairs are compared: each ranked response against each other."""
        ranks = self.ranked(use, value, places)
        return [
            vote(use.name, a, b, (ranks[a] > ranks[b]) - (ranks[a] < ranks[b]))
            for a, b in combinations(sorted(ranks), 2)
        ]

    def answer(self, use: Use, value: Any, places: Mapping[int, int], answers: dict[int, dict[str, Any]]) -> None:
        """Put verdicts and critiques into the answer on their response."""
        place = places.get(use.response or 0)
        if place is None:
            self.left[f"answers of {use.question.name} on a response that a record lacks"] += 1
            return
        said = answers.setdefault(place, {"critiques": [], "verdicts": []})
        if use.becomes == "spans":
            said["critiques"] += [critique for span in value for critique in self.critiques(span)]
        elif (outcome := self.outcome(use, value)) is not None:
            said["verdicts"].append({"question": use.name, "answer": outcome})

    def outcome(self, use: Use, value: Any) -> Any:
        """The answer of a verdict, options by their names here."""
        if use.question.kind == "label":
            return self.option(use, value)
        if use.question.kind == "labels":
            return list(dict.fromkeys(self.option(use, one) for one in value))
        if use.question.kind == "rating":
            if isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer():
                return int(value)
            self.left[f"answers of {use.question.name} that are no whole numbers"] += 1
            return None
        return str(value)

    def option(self, use: Use, value: Any) -> Any:
        if value in use.values:
            if len(use.values) > MOST_LABELS:
                self.left[f"the list of options of {use.question.name}, of more than {MOST_LABELS}: asked as text"] += 1
            return use.values[value]
        self.left[f"the option {str(value)[:60]!r} of {use.question.name} in the protocol (its answers are kept)"] += 1
        return clean(value)

    def critiques(self, span: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A span as a critique of each of its labels; what is said besides in words goes with the first."""
        names = [clean(one) for one in dict.fromkeys(span.get("type") or [])]
        for name in names:
            if name not in self.types:
                self.left[f"the label {name!r} in the protocol (its spans are kept)"] += 1
        others = {part: value for part, value in span.items() if part not in ("comment", "edit")}
        return [{**(others if n else span), "type": name} for n, name in enumerate(names or [""])]

    def scored(self, opinion: Opinion, answers: Mapping[int, dict[str, Any]], more: bool) -> None:
        """The score of a model's answer, where it has one; others are counted."""
        numbers: dict[int, set[float]] = {}
        for name, score in opinion.scores.items():
            use = self.uses.get(name)
            place = use.response or 0 if use and use.becomes in ("verdict", "spans") else -1
            if place in answers and isinstance(score, int | float) and not isinstance(score, bool):
                numbers.setdefault(place, set()).add(float(score))
            elif score is not None and use and use.becomes != "nothing":
                self.left[f"scores of suggestions for {name}"] += 1
        for place, found in numbers.items():
            if len(found) == 1:
                answers[place]["score"] = found.pop()
            else:
                self.left["scores of suggestions that differ between the questions of one response"] += len(found)


def not_taken(name: str, use: Use | None) -> str:
    return f"answers of {name}: {use.why}" if use else f"answers of {name}: no question is called so"


def vote(axis: str, first: int, second: int, said: int | str) -> dict[str, Any]:
    found = {"axis": axis, "first": first, "second": second}
    return found | ({"both_bad": True} if said == BOTH_BAD else {"value": said})


def response_of(response: Any, model: str) -> Any:
    """A response with its model, as a row has it."""
    if not model:
        return response
    return {"messages" if isinstance(response, list) else "text": response, "model": model}


def turned(found: Found, make: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Found:
    """A row of the export as one of ours, or why it is none."""
    if found.row is None:
        return found
    try:
        return found._replace(row=make(found.row))
    except RowError as problem:
        return found._replace(row=None, problem=problem)
    except SHAPE as error:
        return found._replace(row=None, problem=RowError(f"has another shape than exports of this tool: {error!r:.80}"))


def missing_uses(uses: Sequence[Use]) -> dict[str, int]:
    """What becomes of nothing, to be counted."""
    return {not_taken(use.question.name, use): 0 for use in uses if use.becomes == "nothing"}


def becoming(uses: Sequence[Use]) -> tuple[tuple[str, str], ...]:
    return tuple((use.question.name, str(use)) for use in uses)
