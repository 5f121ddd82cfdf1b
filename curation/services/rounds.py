"""What the judges that vote over both orders of a pair share: the pairs of a shard, the rounds on each, and what
becomes of their votes. The vote itself is `workers/critics/voting.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, repeat
from typing import Any

import orjson
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from pydantic import Field

from curation.errors import Conflict, Invalid
from curation.models import Completion, ModelVersion, PairAttributes, Project, Protocol, Run, Task, TaskKind, User
from curation.services import locating, registry
from curation.services.answering import texts_of
from curation.services.completions import Done
from curation.services.critiquing import ANSWERS_LOGGED, LOGGED, REASONS_LOGGED, QueueParams, drawn
from curation.services.opinions import STEPS
from curation.services.sharding import ShardReport
from curation.services.suggestions import Landed, Leaning, Suggestion
from workers.asking import Reply
from workers.criticising import Critic, Subject, Wanted, Way, documents_in
from workers.critics.guided import ATTRIBUTES as KNOWN
from workers.critics.voting import Round, Voted, probability
from workers.habits.position import leaning as of_places

COOLER = 0.1
"""Temperature at which a verdict that could not be read is asked for once more."""
ATTRIBUTES = "attributes"
"""Of an item's metadata, where its pairs have none of their own: category, desired, guideline, …"""
LOOKED_UP = 500


class RoundParams(QueueParams):
    """Of every judge that votes over both orders."""

    axis: str = Field(
        default="",
        max_length=40,
        title="Axis",
        description="of the preference; by default the first",
        json_schema_extra={"choose": "axis"},
    )
    temperature: float = Field(
        default=0.7, ge=0, le=2, title="Temperature", description="of the rounds; at 0 they are copies of two"
    )
    max_tokens: int | None = Field(
        default=None, ge=16, le=65_536, title="Longest answer in tokens", description="empty: as the model says"
    )
    least_strength: float = Field(
        default=0.0,
        ge=0,
        le=3,
        title="Least strength",
        description="where the two orders do not come to the same; what is weaker is left to people",
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """A task on two responses with all that a judge is shown of it."""

    task: int
    responses: tuple[int, int]
    prompt: list[dict[str, Any]]
    prompt_hash: str
    item: int
    documents: list[str]
    texts: tuple[list[str], list[str]]
    attributes: Mapping[str, Any]

    def subjects(self, rounds: int, **more: Any) -> Iterator[Subject]:
        """The pair in alternating orders, the first of them drawn as by a coin that falls the same at every look."""
        for number in range(rounds):
            turned = drawn(*self.responses) != bool(number % 2)
            sides = self.texts[::-1] if turned else self.texts
            yield Subject(self.prompt, sides, self.documents, turned=turned, attributes=self.attributes, **more)


# --- Before ------------------------------------------------------------------------------------------


def axis_of(project: Project, wanted: str) -> str:
    """The axis that is voted on. Raises Conflict where no pairs are compared, Invalid for another axis."""
    if project.protocol is None:
        raise Conflict("this project has no protocol yet")
    if project.kind != TaskKind.PREFERENCE:
        raise Conflict("only projects in which pairs are compared have preferences to vote on")
    names = project.protocol.axis_names
    if wanted and wanted not in names:
        raise Invalid(f"must be one of: {', '.join(names)}", field="params.axis")
    return wanted or names[0]


def wanted_of(project: Project, axis: str, **more: Any) -> Wanted:
    protocol = project.protocol
    assert protocol is not None
    axes = [one for one in protocol.axes if one["name"] == axis]
    return Wanted(axes=axes or [{"name": axis}], strengths=protocol.strengths, tie=False, both_bad=False, **more)


def may_ask(critic: Critic, way: Way, model: ModelVersion) -> None:
    if not critic.answers(way):
        raise Conflict(f"{model} was made for another kind of question than “{way.title.lower()}”")


def pairs_of(project: Project, tasks: Sequence[int]) -> list[Pair]:
    """The pairs of these tasks, in their order; what is gone is left out."""
    places = locating.loaded(project, tasks)
    columns = (
        "pk",
        "pair_id",
        "pair__item_id",
        "pair__item__prompt",
        "pair__item__prompt_hash",
        "pair__item__metadata",
    )
    about = {row[0]: row[1:] for row in Task.objects.filter(pk__in=list(places)).values_list(*columns)}
    attributes = attributes_of([row[0] for row in about.values()])
    made = []
    for task in tasks:
        if task in places and len(places[task].responses) == 2:
            first, second = places[task].responses
            pair, item, prompt, prompt_hash, metadata = about[task]
            documents = documents_in(orjson.loads(places[task].context))
            texts = (texts_of(first), texts_of(second))
            known = attributes.get(pair) or attributes_in(metadata)
            made.append(Pair(task, (first.id, second.id), prompt, prompt_hash, item, documents, texts, known))
    return made


def attributes_of(pairs: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What a critic or a person said of pairs besides which is better."""
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(pairs), LOOKED_UP):
        rows = PairAttributes.objects.filter(pair__in=pairs[start : start + LOOKED_UP])
        found |= {row["pair_id"]: row for row in rows.values("pair_id", *KNOWN)}
    return {pair: {name: row[name] for name in KNOWN} for pair, row in found.items()}


def attributes_in(metadata: Any) -> dict[str, Any]:
    found = metadata.get(ATTRIBUTES) if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


# --- Afterwards --------------------------------------------------------------------------------------


def suggestion(pair: Pair, axis: str, voted: Voted, protocol: Protocol, words: str) -> Suggestion:
    """A vote as a suggestion; of one that is unsure only the words."""
    if not voted.side:
        return Suggestion(task=pair.task, rationale=words)
    p = round(probability(voted), 6)
    sure = max(p, 1 - p)
    value = 1 + sum(sure >= step for step in STEPS[protocol.strengths])
    said = Leaning(axis, value=value if voted.side == "b" else -value, probability=p)
    return Suggestion(task=pair.task, score=sure, preferences=[said], rationale=words)


def progress_of(report: ShardReport) -> Any:
    """What counts the tokens of replies as they come."""

    def told(reply: Reply | None) -> None:
        report.progress(0, tokens=reply.tokens if reply else 0, tokens_out=reply.tokens_out if reply else 0)

    return told


def log_unread(report: ShardReport, done: Sequence[Done]) -> None:
    """Say in the run's log what was refused and what could not be read."""
    for reason, number in Counter(one.refused for one in done if one.refused).most_common(REASONS_LOGGED):
        report.log(f"{number} questions were refused: {reason}")
    unread = [one for one in done if one.status in (Completion.Status.UNPARSED, Completion.Status.TRUNCATED)]
    for one in unread[:ANSWERS_LOGGED]:
        report.log(f"could not be read ({one.status}): {one.raw[:LOGGED]!r}")


def log_rejected(report: ShardReport, landed: Landed) -> dict[str, int]:
    """What became of suggestions, for the result of a shard; the first that were refused are told in the log."""
    for refusal in landed.rejected[:REASONS_LOGGED]:
        report.log(f"task {refusal['index']}, {refusal['field']}: {refusal['reason']}")
    counts = {name: getattr(landed, name) for name in ("created", "replaced", "unchanged")}
    return {**counts, "rejected": len(landed.rejected)}


def counted(voted: Iterable[tuple[Voted, Sequence[Round]]]) -> dict[str, int]:
    """Votes by what they came to, and how often the response that was named first was preferred."""
    counts: Counter[str] = Counter()
    for one, rounds in voted:
        given = [each for each in rounds if each.verdict]
        counts["pairs"] += 1
        counts["votes"] += len(given)
        counts["for the first named"] += sum(each.verdict == each.first for each in given)
        counts["position-sensitive"] += one.flipped
        counts["preferred" if one.side else "unsure"] += 1
        counts["by perplexity"] += one.by == "perplexity" and bool(one.side)
    return dict(counts)


def position(counts: Mapping[str, Any]) -> dict[str, Any]:
    """How often a judge preferred what it was shown first, which is half where places mean nothing to it, and on how
    many pairs its two orders were against each other; empty without votes."""
    votes, first, pairs = (int(counts.get(name) or 0) for name in ("votes", "for the first named", "pairs"))
    if not votes:
        return {}
    found = of_places(chain(repeat(("ab", -1), first), repeat(("ab", 1), votes - first)))
    told = {name: value if value is None else round(value, 4) for name, value in asdict(found.left).items()}
    flips = int(counts.get("position-sensitive") or 0)
    return {
        "first-position rate": told.pop("share"),
        "interval": [told["low"], told["high"]],
        "p": float(f"{found.p:.3g}"),
        "flip rate": round(flips / pairs, 4) if pairs else None,
    }


# --- Of a model --------------------------------------------------------------------------------------

VOTING = ("self-reference", "guided")
SHOWN = 5


def positions_of(model: ModelVersion, user: User | AnonymousUser) -> list[tuple[Run, dict[str, Any]]]:
    """The latest runs in which a model voted over both orders, of projects that `user` may read, and how its votes
    went with places."""
    mine = Q(model=model) | Q(params__second=model.pk) | Q(params__third=model.pk)
    runs = Run.objects.filter(mine, method__in=VOTING, project__in=registry.readable(user))
    latest = runs.filter(state=Run.State.SUCCEEDED).select_related("project").order_by("-created_at")[:SHOWN]
    told = []
    for run in latest:
        found = (run.result.get("models") or {}).get(str(model)) or {**run.result, **(run.result.get("position") or {})}
        if "first-position rate" in found:
            names = ("first-position rate", "interval", "p", "flip rate", "votes", "pairs")
            told.append((run, {name.replace("-", "_").replace(" ", "_"): found.get(name) for name in names}))
    return told
