"""Critiques of a critic over a queue: each task is put to it in the ways that the protocol needs, and what could be
read becomes a suggestion. What could not be read becomes none, and is counted; its raw text is kept.

Suggestions are written in the transaction that ends their shard; completions before it (see `completions`).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from pydantic import Field

from curation.errors import Conflict
from curation.models import Annotator, Completion, Project, Run, Shard, Task, TaskKind
from curation.services import candidates, completions, suggestions
from curation.services.answering import Answer, Judged, Said, texts_of, units_in
from curation.services.desk import asked
from curation.services.locating import Place, loaded
from curation.services.method import Method, Params, Piece
from curation.services.sharding import ShardReport
from curation.services.suggestions import Leaning, Suggestion
from workers.asking import Reply, Request
from workers.criticising import Critic, Heard, Subject, Wanted, Way, documents_in, request
from workers.critics.pairwise import vote

SEVERAL = 0.7
"""Temperature of several samples, where none is said: at 0 they would all be the same."""
REASONS_LOGGED = 5
ANSWERS_LOGGED, LOGGED = 3, 300
"""So many answers of a shard that could not be read are told in the log, and so much of each."""
ITEM_OF = {TaskKind.PREFERENCE: "pair__item", TaskKind.RESPONSE: "response__item", TaskKind.RANKING: "item"}


class QueueParams(Params):
    """Which tasks are put to a critic, and how many at a time."""

    open_only: bool = Field(default=True, title="Only open tasks", description="leave out tasks that are complete")
    limit: int | None = Field(
        default=None, ge=1, title="At most so many tasks", description="those that come first in the queue"
    )
    tasks_per_shard: int = Field(
        default=16, ge=1, le=1000, title="Tasks in a shard", description="a shard is what one worker does at a time"
    )


class CritiqueParams(QueueParams):
    model: int = Field(
        title="Critic", description="which model writes", json_schema_extra={"choose": "model", "kinds": ["critic"]}
    )
    samples: int = Field(
        default=1,
        ge=1,
        le=25,
        title="Samples of each comparison",
        description="of several the majority counts, and the share of votes is the probability",
    )
    temperature: float | None = Field(
        default=None, ge=0, le=2, title="Temperature", description="empty: as the model says; 0.7 for several samples"
    )
    max_tokens: int | None = Field(
        default=None, ge=16, le=65_536, title="Longest answer in tokens", description="empty: as the model says"
    )
    guidelines: bool = Field(
        default=True, title="With the guidelines", description="whether the critic reads what annotators read"
    )


@dataclass(slots=True)
class Question:
    """One question to the critic, and where its answer belongs."""

    task: int
    way: Way
    subject: Subject
    request: Request
    place: int = 0
    """Of the response in stored order."""


@dataclass(slots=True)
class Opinion:
    """All that was heard on one task, by the place of the response; comparisons apart."""

    heard: list[tuple[int, Heard]] = field(default_factory=list)
    compared: list[Heard] = field(default_factory=list)


# --- What is asked -----------------------------------------------------------------------------------


def plan(run: Run, params: CritiqueParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Tasks in the order of the queue."""
    wanted_of(run.home, params)
    return queued(run.home, params, after)


def queued(project: Project, params: QueueParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Tasks in the order of the queue, as pieces."""
    tasks = Task.objects.filter(project=project, kind=project.kind).exclude(state=Task.State.RETIRED)
    if params.open_only:
        tasks = tasks.filter(state=Task.State.OPEN)
    at, laid = (after["at"], after["laid"]) if after else (-(2**62), 0)
    while True:
        size = min(params.tasks_per_shard, params.limit - laid) if params.limit else params.tasks_per_shard
        rows = list(tasks.filter(position__gt=at).order_by("position").values_list("pk", "position")[: max(0, size)])
        if not rows:
            return
        at, laid = rows[-1][1], laid + len(rows)
        yield Piece({"tasks": [pk for pk, _ in rows], "at": at, "laid": laid}, len(rows))


def halves(spec: dict[str, Any]) -> list[Piece]:
    tasks = spec["tasks"]
    half = len(tasks) // 2
    return [Piece({**spec, "tasks": some}, len(some)) for some in (tasks[:half], tasks[half:])] if half else []


def wanted_of(project: Project, params: CritiqueParams) -> Wanted:
    """The protocol as a critic is asked it. Raises Conflict when it asks nothing that a critic answers."""
    protocol = project.protocol
    if protocol is None:
        raise Conflict("this project has no protocol yet")
    shape = asked(protocol).model_dump()
    wanted = Wanted(
        unit=shape["unit"],
        critiques=shape["critiques"],
        questions=shape["questions"],
        axes=protocol.axes if project.kind == TaskKind.PREFERENCE else (),
        strengths=protocol.strengths,
        tie=protocol.allow_tie,
        both_bad=protocol.allow_both_bad,
        guidelines=protocol.guidelines if params.guidelines else "",
    )
    if not (wanted.axes or wanted.critiques["on"] or wanted.questions):
        raise Conflict("the protocol asks neither preferences nor critiques nor questions; rankings are not suggested")
    return wanted


def questions_on(
    project: Project, tasks: Sequence[int], critic: Critic, wanted: Wanted, params: CritiqueParams
) -> list[Question]:
    """Every question on these tasks, in a fixed order."""
    ways = critic.fits(wanted)
    if not ways:
        raise Conflict("this critic was made for another kind of question than the protocol asks")
    prompts = prompts_of(project, tasks)
    found = loaded(project, tasks)
    made: list[Question] = []
    for task in tasks:
        if task in found:
            for way in ways:
                made += asked_on(task, found[task], prompts[task], way, critic, wanted, params)
    return made


def prompts_of(project: Project, tasks: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    item = ITEM_OF[TaskKind(project.kind)]
    return dict(Task.objects.filter(pk__in=tasks, project=project).values_list("pk", f"{item}__prompt"))


def asked_on(
    task: int,
    place: Place,
    prompt: list[dict[str, Any]],
    way: Way,
    critic: Critic,
    wanted: Wanted,
    params: CritiqueParams,
) -> Iterator[Question]:
    documents = documents_in(orjson.loads(place.context))
    how: dict[str, Any] = {"max_tokens": params.max_tokens or critic.max_tokens}
    how["temperature"] = critic.temperature if params.temperature is None else params.temperature
    texts = [texts_of(response) for response in place.responses]
    if way.pair:
        if params.samples > 1 and params.temperature is None:
            how["temperature"] = critic.temperature or SEVERAL
        pair = place.responses[0].id, place.responses[1].id
        for sample in range(params.samples):
            turned = drawn(*pair) != bool(sample % 2)
            subject = Subject(prompt, texts[::-1] if turned else texts, documents, turned=turned)
            yield Question(task, way, subject, request(way, wanted, subject, seed=sample, **how))
        return
    for number, response in enumerate(place.responses):
        units = units_in(response, wanted.unit) if wanted.unit in ("sentence", "step") else ()
        subject = Subject(prompt, [texts[number]], documents, units)
        yield Question(task, way, subject, request(way, wanted, subject, **how), number)


def drawn(first: int, second: int) -> bool:
    """Whether the second response is named first, as by a coin that falls the same for a pair at every look."""
    return bool(hashlib.md5(f"{first}:{second}".encode()).digest()[0] & 1)


# --- One shard ---------------------------------------------------------------------------------------


def work(run: Run, shard: Shard, params: CritiqueParams, report: ShardReport) -> None:
    """Ask about a shard's tasks, then write what was said as suggestions, and how it went."""
    model = run.model
    assert model is not None
    critic = cast(Critic, candidates.opened(model))
    report.device = critic.device
    wanted = wanted_of(run.home, params)
    questions = questions_on(run.home, shard.spec["tasks"], critic, wanted, params)

    def told(reply: Reply | None) -> None:
        report.progress(0, tokens=reply.tokens if reply else 0, tokens_out=reply.tokens_out if reply else 0)

    done = completions.completed(model, critic, [one.request for one in questions], told)
    counts: Counter[str] = Counter(counted(done))
    for reason, number in Counter(one.refused for one in done if one.refused).most_common(REASONS_LOGGED):
        report.log(f"{number} questions were refused: {reason}")
    unread = [one for one in done if one.status in (Completion.Status.UNPARSED, Completion.Status.TRUNCATED)]
    for one in unread[:ANSWERS_LOGGED]:
        report.log(f"could not be read ({one.status}): {one.raw[:LOGGED]!r}")
    opinions = heard_on(wanted, questions, done)
    given = [(task, suggestion(task, wanted, opinion, counts)) for task, opinion in opinions.items()]
    report.progress(shard.size)
    with report.committing():
        named = {"kind": Annotator.Kind.MODEL, "name": model.name, "version": f"v{model.number}"}
        landed = suggestions.suggest(project=run.home, given=given, **named)
        counts.update(created=landed.created, replaced=landed.replaced, unchanged=landed.unchanged)
        counts.update(rejected=len(landed.rejected))
        for refusal in landed.rejected[:REASONS_LOGGED]:
            report.log(f"task {refusal['index']}, {refusal['field']}: {refusal['reason']}")
        Shard.objects.filter(pk=shard.pk).update(result=dict(counts))


def counted(done: Sequence[completions.Done]) -> dict[str, int]:
    counts = Counter(one.status or "refused" for one in done)
    calls = sum(one.calls for one in done)
    kept = sum(not one.calls and not one.refused for one in done)
    return {
        "asked": calls,
        "cached": kept,
        **{name: counts[name] for name in ("ok", "repaired", "unparsed", "truncated", "refused")},
    }


def heard_on(wanted: Wanted, questions: Sequence[Question], done: Sequence[completions.Done]) -> Mapping[int, Opinion]:
    """What could be read of the answers, by task; tasks of which nothing could be read are left out."""
    opinions: defaultdict[int, Opinion] = defaultdict(Opinion)
    for question, answer in zip(questions, done, strict=True):
        if answer.parsed is None:
            continue
        heard = question.way.read(wanted, question.subject, answer.parsed)
        if question.way.pair:
            opinions[question.task].compared.append(heard)
        else:
            opinions[question.task].heard.append((question.place, heard))
    return opinions


# --- From words to suggestions -----------------------------------------------------------------------


def suggestion(task: int, wanted: Wanted, opinion: Opinion, counts: Counter[str]) -> Suggestion:
    """Everything that was heard on a task as one suggestion, counted."""
    compared = vote(wanted, opinion.compared)
    critiques = [said(place, one, counts) for place, heard in opinion.heard for one in heard.critiques]
    verdicts = [Judged(response=place, **one) for place, heard in opinion.heard for one in heard.verdicts]
    counts.update(
        tasks=1,
        critiques=len(critiques),
        verdicts=len(verdicts),
        preferences=len(compared.preferences),
        undecided=len(wanted.axes) - len(compared.preferences) if opinion.compared else 0,
        unproved=sum(heard.unproved for _, heard in opinion.heard),
    )
    return Suggestion(
        task=task,
        rationale=overall(compared, opinion.heard),
        preferences=[Leaning(**one) for one in compared.preferences],
        answer=Answer(critiques=critiques, verdicts=verdicts),
    )


def said(place: int, one: dict[str, Any], counts: Counter[str]) -> Said:
    """A critique as it is stored. One whose quote stands nowhere speaks of the whole response, quote and all."""
    how = one.pop("how")
    counts.update(unanchored=how == "unmatched", fuzzy=how == "fuzzy", ambiguous=how == "ambiguous")
    if how == "unmatched":
        one["comment"] = f"“{one['quote']}”\n{one['comment']}".strip()
    if one["start"] is None:
        one |= {"quote": None, "message": 0}
    return Said(response=place, **one)


def overall(compared: Heard, heard: Sequence[tuple[int, Heard]]) -> str:
    """The critique in words: the differences of a pair, or what was said of the response as a whole."""
    told = [(place, one.rationale) for place, one in heard if one.rationale]
    several = len({place for place, _ in heard}) > 1
    parts = [f"Response {place + 1}: {words}" if several else words for place, words in told]
    return "\n\n".join([part for part in (compared.rationale, *parts) if part])[:20_000]


METHOD = Method(
    name="critique",
    title="Ask a critic",
    about="A critic writes critiques, verdicts and preferences on the tasks of the queue, as suggestions.",
    params=CritiqueParams,
    unit="tasks",
    plan=plan,
    work=work,
    split=halves,
    shard_seconds=3600,
)
