"""Suggestions as they come in from critics outside: models and programs that speak on many tasks at once.

Each is checked for itself, so that good ones land beside bad ones; the same again changes nothing, another one by
the same annotator on the same task takes its place. Nothing here moves a counter of a task or a person.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from django.db import transaction

from curation.errors import Invalid
from curation.models import Annotation, Annotator, Preference, Project, Protocol
from curation.services.answering import Answer, Said, check, check_ranks, texts_of
from curation.services.desk import asked
from curation.services.evidence import text_of
from curation.services.importing.rows import short
from curation.services.locating import Place, places_of
from curation.services.reviewing import Suggested, write
from workers.anchoring import anchor

AT_ONCE = 50
"""So many tasks are read, and so many suggestions written, at a time."""
PREFIX = "suggestion-"
MACHINES = (Annotator.Kind.MODEL, Annotator.Kind.PROGRAM)


@dataclass(frozen=True, slots=True)
class Leaning:
    """One axis of a suggestion on a pair: negative prefers the response that is named first."""

    axis: str
    value: int | None = None
    both_bad: bool = False
    probability: float | None = None
    """P(the second is better)."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a critic says of one task, named by its id, or by an item and the places of its responses."""

    task: int | None = None
    item: str = ""
    responses: Sequence[int] = ()
    score: float | None = None
    rationale: str = ""
    preferences: Sequence[Leaning] = ()
    answer: Answer = field(default_factory=Answer)


@dataclass(slots=True)
class Landed:
    """What became of suggestions: how many were new, took another's place, or were there; and the refused ones."""

    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    rejected: list[dict[str, Any]] = field(default_factory=list)
    placed: list[dict[str, Any]] = field(default_factory=list)
    """Quotes that were found nearly, or in several places."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A suggestion that fits its task, ready to be written."""

    place: Place
    given: Suggestion
    version: str

    @property
    def key(self) -> str:
        """The same for the same words on the same task, whatever order its responses were named in."""
        said = (
            self.place.task_id,
            self.place.order,
            self.version,
            replace(self.given, task=None, item="", responses=()),
        )
        return PREFIX + short(orjson.dumps(said, option=orjson.OPT_NON_STR_KEYS))


def critic_of(project: Project, kind: str, name: str) -> Annotator:
    """The annotator under whose name a critic speaks; made at first use."""
    if kind not in MACHINES:
        raise Invalid("must be model or program", field="annotator.kind")
    if not name.strip() or len(name) > 200 or "\0" in name:
        raise Invalid("needs 1 to 200 characters", field="annotator.name")
    return Annotator.objects.get_or_create(project=project, kind=kind, name=name)[0]


def suggest(
    *, project: Project, kind: str, name: str, version: str = "", given: Sequence[tuple[int, Suggestion]]
) -> Landed:
    """Check and keep suggestions, each with the number under which a refusal names it."""
    protocol = project.protocol
    if protocol is None:
        raise Invalid("this project has no protocol yet", field="suggestions")
    critic = critic_of(project, kind, name)
    landed = Landed()
    for start in range(0, len(given), AT_ONCE):
        some = given[start : start + AT_ONCE]
        places = places_of(project, [(entry.task, entry.item, entry.responses) for _, entry in some])
        fitting = []
        for (index, entry), place in zip(some, places, strict=True):
            notes: list[dict[str, Any]] = []
            try:
                if isinstance(place, Invalid):
                    raise place
                fitting.append(Checked(place, fitted(project, protocol, entry, place, notes), version))
            except Invalid as error:
                landed.rejected.append({"index": index, "field": error.field, "reason": error.detail})
            else:
                landed.placed += [{"index": index, **note} for note in notes]
        keep(project, protocol, critic, fitting, landed)
    return landed


def fitted(
    project: Project, protocol: Protocol, given: Suggestion, place: Place, notes: list[dict[str, Any]]
) -> Suggestion:
    """The suggestion with its quotes found. Raises Invalid naming the field of what does not fit the protocol."""
    if len(given.rationale) > 20_000 or "\0" in given.rationale:
        raise Invalid("at most 20000 characters, and no NUL", field="rationale")
    for n, leaning in enumerate(given.preferences):
        check_leaning(project, protocol, leaning, f"preferences.{n}")
    if len({leaning.axis for leaning in given.preferences}) < len(given.preferences):
        raise Invalid("each axis once", field="preferences")
    if given.answer.ranks:
        if project.kind != "ranking":
            raise Invalid("a ranking is not asked here", field="ranks")
        check_ranks(len(place.responses), given.answer.ranks)
    documents = orjson.loads(place.context).get("documents") or []
    critiques = [
        with_span(place, documents, said, f"critiques.{n}", notes) for n, said in enumerate(given.answer.critiques)
    ]
    verdicts = [
        replace(judged, evidence=proof_of(place, documents, judged.evidence, f"verdicts.{n}.evidence", notes))
        for n, judged in enumerate(given.answer.verdicts)
    ]
    answer = replace(given.answer, critiques=critiques, verdicts=verdicts)
    return replace(given, answer=check(asked(protocol), place.responses, answer, place.context, whole=False))


def check_leaning(project: Project, protocol: Protocol, leaning: Leaning, where: str) -> None:
    if project.kind != "preference":
        raise Invalid("no pairs are compared here", field="preferences")
    if leaning.axis not in protocol.axis_names:
        raise Invalid(f"must be one of: {', '.join(protocol.axis_names)}", field=f"{where}.axis")
    if leaning.both_bad:
        if leaning.value is not None or not protocol.allow_both_bad:
            raise Invalid("both bad leaves out the value, where it may be said", field=f"{where}.both_bad")
    elif leaning.value is None or abs(leaning.value) > protocol.strengths:
        raise Invalid(f"must be from {-protocol.strengths} to {protocol.strengths}", field=f"{where}.value")
    elif leaning.value == 0 and not protocol.allow_tie:
        raise Invalid("ties are not allowed here", field=f"{where}.value")


def with_span(place: Place, documents: Any, said: Said, where: str, notes: list[dict[str, Any]]) -> Said:
    """A critique, and its evidence, with the spans of what is only quoted."""
    if 0 <= said.response < len(place.responses) and said.start is None and said.quote:
        texts = texts_of(place.responses[said.response])
        if 0 <= said.message < len(texts):
            start, end = found(texts[said.message], said.quote, f"{where}.quote", notes)
            said = replace(said, start=start, end=end, quote=None)
    return replace(said, evidence=proof_of(place, documents, said.evidence, f"{where}.evidence", notes))


def proof_of(
    place: Place, documents: Any, proof: dict[str, Any] | None, where: str, notes: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Evidence with the span of what it quotes; others as they are."""
    if not proof or not proof.get("quote") or proof.get("start") is not None or proof.get("url") is not None:
        return proof
    on = "document" if proof.get("document") is not None else "response"
    text = text_of(proof.get(on), on, place.responses, documents, where)
    start, end = found(text, str(proof["quote"]), f"{where}.quote", notes)
    return {**proof, "start": start, "end": end, "quote": None}


def found(text: str, quote: str, where: str, notes: list[dict[str, Any]]) -> tuple[int, int]:
    """Where a quote stands. Raises Invalid when it stands nowhere; a doubtful place is noted."""
    at = anchor(text, quote)
    if at.start is None or at.end is None:
        raise Invalid(f"is not in the text: {quote[:60]!r}", field=where)
    if at.how == "fuzzy" or at.ambiguous:
        how = "fuzzy" if at.how == "fuzzy" else "ambiguous"
        span = {"start": at.start, "end": at.end, "quote": text[at.start : at.end][:200]}
        notes.append({"field": where, "how": how, "places": len(at.places), "score": round(at.score, 3), **span})
    return at.start, at.end


def keep(project: Project, protocol: Protocol, critic: Annotator, checked: Sequence[Checked], landed: Landed) -> None:
    """Write what is not there yet. One critic's suggestions are written one batch after the other."""
    if not checked:
        return
    with transaction.atomic():
        Annotator.objects.select_for_update().get(pk=critic.pk)
        mine = Annotation.objects.answers().filter(annotator=critic, idempotency_key__startswith=PREFIX)
        rows = mine.filter(task__in={one.place.task_id for one in checked})
        standing = {task: (pk, key) for task, pk, key in rows.values_list("task_id", "pk", "idempotency_key")}
        waiting: dict[int, tuple[Checked, Annotation]] = {}
        for one in checked:
            task = one.place.task_id
            if task in waiting:
                standing |= {of: (made.pk, made.idempotency_key) for of, made in written(waiting.values())}
                waiting = {}
            before = standing.get(task)
            if before and before[1].startswith(one.key):
                landed.unchanged += 1
                continue
            waiting[task] = (one, event(project, protocol, critic, one, before[0] if before else None))
            landed.replaced += before is not None
            landed.created += before is None
        written(waiting.values())


def written(suggested: Collection[tuple[Checked, Annotation]]) -> list[tuple[int, Annotation]]:
    """Suggestions on different tasks as rows, in stored order; what each task has by now."""
    Annotation.objects.bulk_create([made for _, made in suggested])
    Preference.objects.bulk_create(
        preference(made, leaning, one.place.order) for one, made in suggested for leaning in one.given.preferences
    )
    for one, made in suggested:
        if one.given.answer:
            write(made.pk, one.place.responses, one.given.answer, Suggested(), one.place.order)
    return [(one.place.task_id, made) for one, made in suggested]


def event(project: Project, protocol: Protocol, critic: Annotator, one: Checked, before: int | None) -> Annotation:
    """The event that says a suggestion, not yet written."""
    place, given = one.place, one.given
    return Annotation(
        project=project,
        task_id=place.task_id,
        annotator=critic,
        protocol=protocol,
        event=Annotation.Event.ANSWER,
        source=Annotation.Source.API,
        version=one.version,
        score=given.score,
        rationale=given.rationale,
        idempotency_key=one.key if before is None else f"{one.key}-{before}",
        supersedes_id=before,
    )


def preference(made: Annotation, said: Leaning, order: str) -> Preference:
    turned = order == "ba"
    value = -said.value if turned and said.value is not None else said.value
    probability = 1 - said.probability if turned and said.probability is not None else said.probability
    return Preference(annotation=made, axis=said.axis, value=value, both_bad=said.both_bad, probability=probability)
