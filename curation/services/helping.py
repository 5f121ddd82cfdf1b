"""What the help of models does to answers and to the time they take, told from the tasks that never show it.

A coin decides for each person and task whether suggestions stay hidden (`suggesting.held_out`), so what differs between
the two sides beyond chance is due to the help: by intention to treat, whether anybody looked at it or not. Intervals
are bootstrapped over answers from a fixed seed. The latest answers alone are read, so the cost does not grow with the
project.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import fmean, median
from typing import Any

from django.db.models import Exists, OuterRef

from curation.models import Annotation, Annotator, Project, Protocol
from curation.protocols import Help
from curation.services.agreeing import Content, agreement, contents
from curation.services.desk import asked
from workers.intervals import RESAMPLES, Estimate, Share, estimate, mean_drawn, median_drawn, wilson

LATEST = 2_000
"""So many answers are read at most, the latest."""
FEW = 10
"""With fewer answers on a side nothing is compared."""
FEW_EACH = 5
"""The same for one person, where no interval is told."""
MOST_SUGGESTIONS = 10_000
MOST_PEOPLE = 50
QUICK_MS = 500
HARDLY = 1e-9
REVIEWS = ("accepted", "edited", "rejected")
MACHINES = (Annotator.Kind.MODEL, Annotator.Kind.PROGRAM)
UNITS = {
    "median_time": "ms",
    "mean_time": "ms",
    "preferences": "share",
    "ranks": "share",
    "verdicts": "share",
    "spans": "share",
    "critiques": "count",
}
"""What is compared, and in which unit."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measure on both sides; the differences only where there are enough answers."""

    measure: str
    unit: str
    helped: float | None
    held_out: float | None
    n_helped: int
    n_held_out: int
    difference: Estimate | None = None
    percent: Estimate | None = None
    """The difference in percent of what was held out; None for shares."""

    @property
    def hundredths(self) -> Estimate | None:
        """The difference in percent, or of a share in points: one scale for all measures."""
        if self.unit != "share" or self.difference is None:
            return self.percent
        return Estimate(*(100 * part for part in (self.difference.value, self.difference.low, self.difference.high)))


@dataclass(frozen=True, slots=True)
class Revealed:
    """What became of answers once the suggestions were revealed; what nobody changed is unchanged."""

    changed: Share
    towards: Share
    away: Share


@dataclass(frozen=True, slots=True)
class Reviews:
    """What became of the suggestions that people went through one by one."""

    accepted: int = 0
    edited: int = 0
    rejected: int = 0
    accept_rate: float | None = None
    accept_ms: float | None = None
    """Median time from seeing a suggestion to accepting it as it was."""
    quick_accepts: float | None = None
    """Share of these that took less than half a second."""

    @property
    def count(self) -> int:
        return self.accepted + self.edited + self.rejected


@dataclass(frozen=True, slots=True)
class Person:
    """The same of one person, without intervals."""

    name: str
    answers: int
    helped: int
    held_out: int
    time_percent: float | None
    reviews: Reviews


@dataclass(frozen=True, slots=True)
class Effect:
    """All of it, from the answers under the latest settings of help."""

    mode: str
    holdout: float
    latest: int
    few: int
    helped: int
    held_out: int
    enough: bool
    comparisons: Sequence[Comparison] = ()
    revealed: Revealed | None = None
    reviews: Reviews = field(default_factory=Reviews)
    people: Sequence[Person] = ()

    def of(self, *measures: str) -> Comparison | None:
        """The first of these that is there."""
        found = {comparison.measure: comparison for comparison in self.comparisons}
        return next((found[measure] for measure in measures if measure in found), None)


@dataclass(frozen=True, slots=True)
class Row:
    """An answer with help, as the sample has it."""

    id: int
    task_id: int
    annotator_id: int
    protocol_id: int
    help: str
    active_ms: int | None
    supersedes_id: int | None
    over: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """One person's answer to one task, from the first try to what stands, and what models had said by then."""

    rows: Sequence[Row]
    suggestions: Sequence[int]

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def last(self) -> Row:
        return self.rows[-1]

    @property
    def ids(self) -> list[int]:
        return [self.first.id, self.last.id, *self.suggestions]

    @property
    def held_out(self) -> bool:
        return self.first.help == Annotation.Help.HELD_OUT

    @property
    def ms(self) -> int | None:
        known = [row.active_ms for row in self.rows if row.active_ms is not None]
        return sum(known) if known else None


def concerns(project: Project) -> bool:
    """Whether a project has or had help of models."""
    help = asked(project.protocol).help.mode if project.protocol else "off"
    return help != "off" or with_help(project).exists()


def with_help(project: Project) -> Any:
    answers = Annotation.objects.filter(project=project, event=Annotation.Event.ANSWER, counted=True)
    return answers.exclude(help="").order_by("-id")


def effect(project: Project) -> Effect:
    """What help does in a project, in a constant number of statements."""
    settings, rows = sample(project)
    answered = answered_in(rows)
    said = contents(project, [pk for answer in answered for pk in answer.ids])
    sides = [[measures(a, said) for a in answered if a.held_out == held_out] for held_out in (False, True)]
    chance = Random(f"help:{project.seed}")
    columns = {name: [[found[name] for found in side if name in found] for side in sides] for name in UNITS}
    helped, held_out = map(len, sides)
    return Effect(
        mode=settings.mode,
        holdout=settings.holdout,
        latest=LATEST,
        few=FEW,
        helped=helped,
        held_out=held_out,
        enough=min(helped, held_out) >= FEW,
        comparisons=[compared(name, one, other, chance) for name, (one, other) in columns.items() if one or other],
        revealed=revealed(answered, said),
        reviews=reviews_in(said[answer.last.id] for answer in answered),
        people=people_in(answered, said),
    )


def sample(project: Project) -> tuple[Help, list[Row]]:
    """The latest answers with help, oldest first, as far as the settings of help were those of the latest.

    Other settings hold out another share, in another time: sides mixed of both would differ without any help.
    """
    later = Annotation.objects.filter(supersedes=OuterRef("pk")).exclude(source=Annotation.Source.REVIEW)
    columns = ("pk", "task_id", "annotator_id", "protocol_id", "help", "active_ms", "supersedes_id", "over")
    found = with_help(project).annotate(over=Exists(later)).values_list(*columns)[:LATEST]
    rows = [Row(*columns) for columns in found][::-1]
    protocols = Protocol.objects.in_bulk({row.protocol_id for row in rows})
    if not rows:
        return asked(project.protocol).help if project.protocol else Help(), []
    helps = {pk: asked(protocol).help for pk, protocol in protocols.items()}
    settings = helps[rows[-1].protocol_id]
    return settings, [row for row in rows if helps[row.protocol_id] == settings]


def answered_in(rows: Sequence[Row]) -> list[Answered]:
    """Rows by person and task; without what was taken back, or began before the rows or without suggestions."""
    chains: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        chains[row.annotator_id, row.task_id].append(row)
    begun = (Annotation.Help.SHOWN, Annotation.Help.BEFORE, Annotation.Help.HELD_OUT)
    whole = [
        chain
        for chain in chains.values()
        if chain[0].supersedes_id is None and chain[0].help in begun and not chain[-1].over
    ]
    said = suggestions_on({chain[0].task_id for chain in whole})
    return [Answered(chain, said_before(said.get(chain[0].task_id, ()), chain[-1].id)) for chain in whole]


def suggestions_on(tasks: set[int]) -> dict[int, list[tuple[int, int]]]:
    """What machines said of tasks and did not take back: id and annotator by task, the latest first."""
    undone = Annotation.objects.filter(supersedes=OuterRef("pk"), event=Annotation.Event.UNDO)
    rows = Annotation.objects.filter(~Exists(undone), event=Annotation.Event.ANSWER, counted=True)
    rows = rows.filter(task__in=tasks, annotator__kind__in=MACHINES).order_by("-id")
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for task_id, *said in rows.values_list("task_id", "pk", "annotator_id")[:MOST_SUGGESTIONS]:
        found[task_id].append((said[0], said[1]))
    return found


def said_before(said: Iterable[tuple[int, int]], answer: int) -> list[int]:
    """The suggestions that stood when an answer was given: the latest of each machine, the latest first."""
    latest: dict[int, int] = {}
    for suggestion, annotator in said:
        if suggestion < answer:
            latest.setdefault(annotator, suggestion)
    return list(latest.values())


def measures(answer: Answered, said: Mapping[int, Content]) -> dict[str, float]:
    """What is compared, of one answer; without what cannot be told."""
    mine = said[answer.last.id]
    found = agreement(mine, [said[pk] for pk in answer.suggestions])
    if mine.asks_critiques:
        found["critiques"] = len(mine.critiques)
    if answer.ms is not None:
        found |= {"median_time": answer.ms, "mean_time": answer.ms}
    return found


def compared(measure: str, helped: Sequence[float], held_out: Sequence[float], chance: Random) -> Comparison:
    """A measure of answers on both sides, and how sure the difference is."""
    middle: Callable[[Sequence[float]], float] = median if measure == "median_time" else fmean
    draw = median_drawn if measure == "median_time" else mean_drawn
    one, other = (middle(side) if side else None for side in (helped, held_out))
    there = Comparison(measure, UNITS[measure], one, other, len(helped), len(held_out))
    if one is None or other is None or min(len(helped), len(held_out)) < FEW:
        return there
    helped, held_out = sorted(helped), sorted(held_out)
    drawn = [(draw(helped, chance), draw(held_out, chance)) for _ in range(RESAMPLES)]
    difference, percent = estimate(one - other, [x - y for x, y in drawn]), None
    if there.unit != "share" and other and all(y for _, y in drawn):
        percent = estimate(100 * (one - other) / other, [100 * (x - y) / y for x, y in drawn])
    return Comparison(measure, there.unit, one, other, len(helped), len(held_out), difference, percent)


def revealed(answered: Sequence[Answered], said: Mapping[int, Content]) -> Revealed | None:
    """How many answers given before the reveal were changed after it, and which way; None without any."""
    steps = [step(answer, said) for answer in answered if answer.first.help == Annotation.Help.BEFORE]
    if not steps:
        return None
    changed = [size for size in steps if size is not None]
    counts = (len(changed), sum(size > HARDLY for size in changed), sum(size < -HARDLY for size in changed))
    return Revealed(*(wilson(count, len(steps)) for count in counts))


def step(answer: Answered, said: Mapping[int, Content]) -> float | None:
    """How much nearer to the suggestions an answer came by the reveal; None for an answer that is as it was."""
    before, after = said[answer.first.id], said[answer.last.id]
    if before.same_as(after):
        return None
    suggested = [said[pk] for pk in answer.suggestions]
    near = [agreement(content, suggested) for content in (before, after)]
    both = near[0].keys() & near[1].keys()
    return fmean(near[1][name] - near[0][name] for name in sorted(both)) if both else 0.0


def reviews_in(said: Iterable[Content]) -> Reviews:
    reviews = [review for content in said for review in content.reviews]
    accepted, edited, rejected = (sum(state == wanted for state, _ in reviews) for wanted in REVIEWS)
    took = [ms for state, ms in reviews if state == "accepted" and ms is not None]
    return Reviews(
        accepted,
        edited,
        rejected,
        accept_rate=accepted / len(reviews) if reviews else None,
        accept_ms=median(took) if took else None,
        quick_accepts=sum(ms < QUICK_MS for ms in took) / len(took) if took else None,
    )


def people_in(answered: Sequence[Answered], said: Mapping[int, Content]) -> list[Person]:
    """Everybody in the sample, the busiest first."""
    theirs: dict[int, list[Answered]] = defaultdict(list)
    for answer in answered:
        theirs[answer.first.annotator_id].append(answer)
    busiest = sorted(theirs, key=lambda pk: (-len(theirs[pk]), pk))[:MOST_PEOPLE]
    names = {a.pk: str(a.user or a) for a in Annotator.objects.filter(pk__in=busiest).select_related("user")}
    return [person(names[pk], theirs[pk], said) for pk in busiest]


def person(name: str, mine: Sequence[Answered], said: Mapping[int, Content]) -> Person:
    held_out = sum(answer.held_out for answer in mine)
    times = [[a.ms for a in mine if a.held_out == side and a.ms is not None] for side in (False, True)]
    percent = None
    if min(map(len, times)) >= FEW_EACH and (usual := median(times[1])):
        percent = 100 * (median(times[0]) - usual) / usual
    reviews = reviews_in(said[answer.last.id] for answer in mine)
    return Person(name, len(mine), len(mine) - held_out, held_out, percent, reviews)
