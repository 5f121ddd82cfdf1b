"""What is clear on tasks that people answered, in the shape in which gold expects it.

Clear is what enough people said something of, if such a share of them said the same: a side of an axis, the order of a
ranking, the answer to a question about a response or a unit of it. Of marked text it is the overlap vote: the
characters that more than half of those who looked marked, if such a share of them would be right by it, as answers to
gold are right (`workers/gold.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from curation.models import Annotation, Annotator, Project, Response, TaskKind, Verdict
from curation.services import deciding
from curation.services.deciding import BOTH_BAD, FIRST, SECOND, TIE, Decision, settled
from curation.services.desk import asked
from curation.services.filtering import Filters
from curation.services.gold.marking import Marked
from curation.services.gold.reading import Said, answer_of, names_for, with_all
from curation.services.gold.rules import rules_of
from curation.services.label_names import Reading
from workers.aggregators.span_vote import Mark, decide
from workers.gold import PARTS, same
from workers.gold import critiques as overlap

SIDES = (FIRST, SECOND, TIE, BOTH_BAD)
Found = dict[int, Any]
"""What is clear of one part, by task."""


def clear(
    project: Project, tasks: Sequence[int], votes: int, confidence: float, parts: Sequence[str] = PARTS
) -> Iterator[Marked]:
    """The tasks on which something is clear of what is asked for, in their order."""
    ways = {"preferences": sides, "verdicts": verdicts, "ranks": rankings, "critiques": spans}
    found: defaultdict[int, Said] = defaultdict(dict)
    for part in parts:
        if tasks:
            for task, said in ways[part](project, tasks, votes, confidence).items():
                found[task][part] = said
    return (Marked(task, found[task]) for task in sorted(found))


def parts_of(project: Project) -> list[str]:
    """What a project asks of which something can be clear."""
    wanted = asked(project.protocol) if project.protocol else None
    there = {
        "preferences": project.kind == TaskKind.PREFERENCE,
        "verdicts": wanted is not None and any(one.kind != "text" for one in wanted.questions),
        "ranks": project.kind == TaskKind.RANKING,
        "critiques": wanted is not None and wanted.critiques.on,
    }
    return [name for name in PARTS if there[name]]


def is_clear(one: Decision, votes: int, confidence: float) -> bool:
    return one.votes >= votes and one.confidence >= confidence and one.outcome in SIDES


def sides(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Found:
    """Every axis of a pair that is clear."""
    found: defaultdict[int, dict[str, list[str]]] = defaultdict(dict)
    if project.kind != TaskKind.PREFERENCE:
        return {}
    for axis in project.protocol.axis_names if project.protocol else []:
        for one in deciding.decisions(project, Filters(axis=axis), tasks=tasks):
            if is_clear(one, votes, confidence):
                found[one.task_id][axis] = [one.outcome]
    return dict(found)


def rankings(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Found:
    """The order of the responses by how many of the others each is before, where all pairs are clear."""
    found: Found = {}
    if project.kind != TaskKind.RANKING:
        return found
    rows = deciding.decisions(project, Filters(), tasks=tasks)
    for task, group in groupby(rows, key=lambda one: one.task_id):
        decided = list(group)
        if any(one.outcome not in (FIRST, SECOND) or not is_clear(one, votes, confidence) for one in decided):
            continue
        behind = Counter({pk: 0 for one in decided for pk in one.responses or ()})
        for one in decided:
            assert one.responses is not None
            behind[one.responses[0] if one.outcome == SECOND else one.responses[1]] += 1
        if sorted(behind.values()) == list(range(len(behind))):  # else it goes round in a circle
            found[task] = {str(pk): n + 1 for pk, n in behind.items()}
    return found


def verdicts(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Found:
    """Every question about a response, or about a sentence or step of it, whose answer is clear; not those in words."""
    rows = Verdict.objects.filter(annotation__in=of_people(tasks).values("pk"))
    values = ("annotation__task_id", "response_id", "start", "end", "question", "answer", "annotation__protocol_id")
    told = list(rows.order_by("annotation__task_id", "response_id", "start", "pk").values_list(*values))
    questions = {one.name: one for one in asked(project.protocol).questions} if project.protocol else {}
    names = names_for(project, {protocol for *_, protocol in told}) if told else None
    answers: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for task, response, start, end, question, answer, protocol in told:
        reading = names.of(protocol) if names else Reading()
        called = questions.get(reading.question(question) or "")
        if called is None or called.kind == "text" or (called.scope == "unit") == (start is None):
            continue
        if (said := reading.answer(question, answer)) is not None:
            answers[task, response, start, end, called.name].append(said)
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for (task, response, start, end, question), given in answers.items():
        decided = settled(given)
        alike = sum(same(decided, one) for one in given) if decided is not None else 0
        if len(given) >= votes and alike >= confidence * len(given):
            one = {"response": response, "question": question, "start": start, "end": end, "answer": decided}
            found[task].append(one)
    return dict(found)


def of_people(tasks: Sequence[int]) -> Any:
    return Annotation.objects.answers().filter(task__in=tasks, annotator__kind=Annotator.Kind.PERSON)


# --- Marked text --------------------------------------------------------------------------------------------


def spans(project: Project, tasks: Sequence[int], votes: int, confidence: float) -> Found:
    """The marked text of each task whose overlap vote such a share of those who looked agree with."""
    if project.protocol is None or not asked(project.protocol).critiques.on:
        return {}
    rows = with_all(of_people(tasks)).select_related("protocol").order_by("task_id", "pk")
    answers = list(rows)
    names = names_for(project, {one.protocol_id for one in answers}) if answers else None
    least, found = rules_of(project).strict.spans, Found()
    for task, some in groupby(answers, key=lambda one: one.task_id):
        said = [answer_of(one, names)["critiques"] for one in some if looked(one)]
        if len(said) < votes or not (expected := voted(said)):
            continue
        right = sum(overlap(expected, each) >= least - 1e-9 for each in said)
        if right >= confidence * len(said):
            found[task] = expected
    return quoted(found)


def looked(answer: Annotation) -> bool:
    """Whether an answer says where something is wrong, be it nowhere: of an import only one that marks anything."""
    if answer.critiques.all():
        return True
    return asked(answer.protocol).critiques.on and answer.source != Annotation.Source.IMPORT


def voted(said: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The overlap vote on every text that anybody marked, all with the same weight."""
    texts = sorted({(one["response"], one["message"] or 0) for each in said for one in each if has_width(one)})
    found = []
    for response, message in texts:
        marks = {
            who: [
                Mark(one["start"], one["end"], one["type"] or "", one["severity"] or "", one["polarity"])
                for one in each
                if has_width(one) and (one["response"], one["message"] or 0) == (response, message)
            ]
            for who, each in enumerate(said)
        }
        for span in decide(marks, threshold=0.5 + 1e-6):
            labels = {"type": span.type, "severity": span.severity, "polarity": span.polarity}
            found.append({"response": response, "message": message, "start": span.start, "end": span.end, **labels})
    return found


def has_width(one: Mapping[str, Any]) -> bool:
    return one["start"] is not None and one["end"] > one["start"]


def quoted(found: Found) -> Found:
    """With the words that each span marks, as a person reads it."""
    texts = Response.objects.in_bulk({one["response"] for each in found.values() for one in each})
    for each in found.values():
        for one in each:
            messages = texts[one["response"]].as_messages()
            content = messages[one["message"]]["content"] if one["message"] < len(messages) else ""
            one["quote"] = str(content)[one["start"] : one["end"]]
    return found
