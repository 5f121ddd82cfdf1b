"""Reading items and what was said of them, a page at a time: no page costs more than another.

A page looks at a bounded number of rows behind its key. Where it leaves rows out it may be short, or empty, and
still not be the last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet

from curation.errors import NotFound
from curation.models import Annotation, Annotator, Change, Critique, Item, Project, Response, Task, Verdict
from curation.services.locating import On, tasks_on

LOOKED_AT = 1000
"""Items, critiques or verdicts that a page looks at, at most, to find those that it shows."""
AT_ONCE = 500
PIECE = 200
"""Critiques or verdicts that are looked at together, until a page is full."""
MOST_ANSWERS = 300
"""Answers that the page of an item shows, the latest."""
CHANGES = 50
"""Changes of an item, the latest, that are looked at for what a response put away was."""
PUT_AWAY = "a response put away"
S = TypeVar("S", Critique, Verdict)


@dataclass(frozen=True, slots=True)
class Key:
    """Where a page of things said begins: behind one row of one annotation."""

    annotation: int = 0
    row: int = 0

    def __str__(self) -> str:
        return f"{self.annotation}-{self.row}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which critiques or verdicts are asked for; empty means any."""

    annotator_kind: str = ""
    review: str | None = None
    type: str = ""
    """Of critiques their type, of verdicts the question."""


@dataclass(slots=True)
class Saying(Generic[S]):
    """Critiques or verdicts of a project in the order of their answers."""

    table: type[S]
    project: Project
    wanted: Wanted

    def rows(self) -> QuerySet[S]:
        found: QuerySet[S] = self.table._default_manager.all()
        if self.wanted.review is not None:
            found = found.filter(review=self.wanted.review)
        if self.wanted.type:
            found = found.filter(**{"type" if self.table is Critique else "question": self.wanted.type})
        return found

    def page(self, after: Key, limit: int) -> tuple[list[S], Key | None]:
        """The next rows, and the key of the page behind them. Only rows of this kind are gone through, of whichever
        project: answers that say nothing of the kind cost nothing."""
        behind = Q(annotation__gt=after.annotation) | Q(annotation=after.annotation, pk__gt=after.row)
        near = self.table._default_manager.filter(behind, annotation__gte=after.annotation)
        looked = list(near.order_by("annotation_id", "pk").values_list("annotation_id", "pk")[:LOOKED_AT])
        kept: list[int] = []
        step = max(PIECE, 2 * limit)
        for start in range(0, len(looked), step):
            kept += self.kept(looked[start : start + step])
            if len(kept) > limit:
                break
        rows = self.table._default_manager.filter(pk__in=kept[:limit])
        rows = rows.select_related("annotation__annotator", "response__item", "derived_from__annotation__annotator")
        shown = list(rows.order_by("annotation_id", "pk"))
        if len(kept) > limit:
            return shown, Key(shown[-1].annotation_id, shown[-1].pk)
        return shown, Key(*looked[-1]) if len(looked) == LOOKED_AT else None

    def kept(self, some: Sequence[tuple[int, int]]) -> list[int]:
        """Those of some rows that are asked for and whose answers stand; given as annotation and id, in their order."""
        answers = Annotation.objects.answers().filter(project=self.project, pk__in={pk for pk, _ in some})
        if self.wanted.annotator_kind:
            answers = answers.filter(annotator__kind=self.wanted.annotator_kind)
        standing = set(answers.values_list("pk", flat=True))
        ids = [pk for annotation, pk in some if annotation in standing]
        if self.wanted.review is None and not self.wanted.type:
            return ids
        asked_for = set(self.rows().filter(pk__in=ids).values_list("pk", flat=True))
        return [pk for pk in ids if pk in asked_for]

    def all(self) -> Iterator[tuple[S, int]]:
        """Every row with the place of its response."""
        key: Key | None = Key()
        while key is not None:
            found, key = self.page(key, AT_ONCE)
            yield from with_places(found)


def with_places(rows: Sequence[S]) -> list[tuple[S, int]]:
    """Rows with the places of their responses in their items; −1 for one that is no longer there."""
    places = places_in({row.response.item_id for row in rows})
    return [(row, places.get(row.response_id, -1)) for row in rows]


def places_in(items: Iterable[int]) -> dict[int, int]:
    """The place of each live response in its item, by its id: in the order of the import, from 0."""
    live = Response.objects.filter(item__in=items, deleted_at=None).order_by("item_id", "position")
    counts: Counter[int] = Counter()
    places = {}
    for pk, item_id in live.values_list("pk", "item_id"):
        places[pk] = counts[item_id]
        counts[item_id] += 1
    return places


def item_of(project: Project, item_id: int) -> Item:
    """An item of a project, taken out or not. Raises NotFound."""
    items = Item.objects.select_related("source").filter(project=project)
    found = items.filter(pk=item_id).first() if item_id < 2**63 else None
    if found is None:
        raise NotFound("no such item")
    return found


@dataclass(frozen=True, slots=True)
class Listed:
    """An item with its live responses and the tasks on it."""

    item: Item
    responses: list[Response]
    tasks: list[tuple[int, On]]


def behind(project: Project, after: int) -> QuerySet[Item]:
    """The items of a project behind an id, in their order; all of them behind 0.

    PostgreSQL may go along the primary key, and would pass the items of every earlier project to reach the first of
    this one. Where it begins is asked first, as a range of one project: only the index by project has that in order.
    """
    if not after:
        of_project = Item.objects.filter(project__gte=project.pk, project__lte=project.pk)
        after = (of_project.order_by("project_id", "pk").values_list("pk", flat=True).first() or 1) - 1
    return Item.objects.filter(project=project, pk__gt=after).order_by("pk")


def items_after(
    project: Project, after: int, limit: int, without: str = "", *, removed: bool = False
) -> tuple[list[Listed], int | None]:
    """The next items, and the key of the page behind them. `without` leaves out what an annotator spoke on; `removed`
    are those that were taken out, instead of those that are there."""
    live = behind(project, after).filter(deleted_at__isnull=not removed)
    looked = list(live.values_list("pk", flat=True)[: LOOKED_AT if without else limit + 1])
    tasks = tasks_of(project, looked)
    if without:
        spoken = spoken_on(project, without, [task for some in tasks.values() for task, _ in some])
        tasks = {pk: [one for one in some if one[0] not in spoken] for pk, some in tasks.items()}
        shown = [pk for pk in looked if tasks.get(pk)][:limit]
        last = shown[-1] if len(shown) == limit else looked[-1] if len(looked) == LOOKED_AT else None
    else:
        shown = looked[:limit]
        last = shown[-1] if len(looked) > limit else None
    return listed(shown, tasks), last


def tasks_of(project: Project, items: Sequence[int]) -> dict[int, list[tuple[int, On]]]:
    tasks: defaultdict[int, list[tuple[int, On]]] = defaultdict(list)
    for start in range(0, len(items), AT_ONCE):
        for task, on in tasks_on(project, items[start : start + AT_ONCE]):
            tasks[on.item_id].append((task, on))
    return dict(tasks)


def spoken_on(project: Project, name: str, tasks: Sequence[int]) -> set[int]:
    """Those of the tasks on which an annotator of this name has a standing answer."""
    annotators = list(Annotator.objects.filter(project=project, name=name).values_list("pk", flat=True))
    spoken: set[int] = set()
    for start in range(0, len(tasks) if annotators else 0, AT_ONCE):
        mine = Annotation.objects.answers().filter(annotator__in=annotators, task__in=tasks[start : start + AT_ONCE])
        spoken |= set(mine.values_list("task_id", flat=True))
    return spoken


def listed(ids: Sequence[int], tasks: dict[int, list[tuple[int, On]]]) -> list[Listed]:
    items = Item.objects.in_bulk(ids)
    responses: defaultdict[int, list[Response]] = defaultdict(list)
    for response in Response.objects.filter(item__in=ids, deleted_at=None).order_by("item_id", "position"):
        responses[response.item_id].append(response)
    return [Listed(items[pk], responses[pk], tasks.get(pk, [])) for pk in ids]


@dataclass(slots=True)
class Row:
    """An item in the list."""

    item: Item
    responses: int = 0
    people: int = 0
    machines: int = 0
    critiques: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """What the list is asked for. `key` is an item's id, or its external id where these are searched."""

    start: str = ""
    critiqued: bool = False
    newest: bool = True
    key: str = ""
    removed: bool = False
    """Those that were taken out, instead of those that are there."""


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: list[Row]
    next: str
    """The key of the page behind; empty at the end."""
    looked: int
    """Items that were looked at for it."""


def list_page(project: Project, choice: Choice, limit: int) -> ListPage:
    """A page of the list, by id, or by external id where its beginning is given."""
    field_ = "external_id" if choice.start else "pk"
    down = choice.newest and not choice.start
    items = Item.objects.filter(project=project, deleted_at__isnull=not choice.removed)
    if choice.start:
        items = items.filter(external_id__startswith=choice.start, external_id__gte=choice.start)
    if choice.key and (choice.start or is_id(choice.key)):
        items = items.filter(**{f"{field_}__{'lt' if down else 'gt'}": choice.key})
    ordered = items.order_by(f"-{field_}" if down else field_)
    most = LOOKED_AT if choice.critiqued else limit + 1
    looked = list(ordered.values_list("pk", field_)[:most])
    chosen = critiqued_among([pk for pk, _ in looked]) if choice.critiqued else {pk for pk, _ in looked}
    shown = [one for one in looked if one[0] in chosen][:limit]
    if len(shown) == limit and shown[-1] != looked[-1]:
        last = shown[-1]
    else:
        last = looked[-1] if choice.critiqued and len(looked) == LOOKED_AT else None
    rows = counted(project, [pk for pk, _ in shown])
    return ListPage(rows, str(last[1]) if last else "", len(looked))


def is_id(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 20 and int(key) < 2**63


def critiqued_among(items: Sequence[int]) -> set[int]:
    """Those items that have a critique which stands and was not rejected."""
    found: set[int] = set()
    for start in range(0, len(items), AT_ONCE):
        rows = standing_critiques(items[start : start + AT_ONCE])
        found |= set(rows.values_list("response__item_id", flat=True))
    return found


def standing_critiques(items: Sequence[int]) -> QuerySet[Critique]:
    """Critiques of items whose answers stand, without rejected ones."""
    later = Annotation.objects.filter(supersedes=OuterRef("annotation_id"))
    answers = {"annotation__event": Annotation.Event.ANSWER, "annotation__counted": True}
    rows = Critique.objects.filter(~Exists(later), response__item__in=items, **answers)
    return rows.exclude(review=Critique.Review.REJECTED)


def counted(project: Project, ids: Sequence[int]) -> list[Row]:
    """Rows with how many responses, answers and critiques each item has: of this page, nothing else is counted."""
    items = Item.objects.defer("context", "metadata").in_bulk(ids)
    rows = {pk: Row(items[pk]) for pk in ids}
    for item_id in Response.objects.filter(item__in=ids, deleted_at=None).values_list("item_id", flat=True):
        rows[item_id].responses += 1
    where = {task: pk for pk, some in tasks_of(project, ids).items() for task, _ in some}
    answers = Annotation.objects.answers().filter(task__in=where).values_list("task_id", "annotator__kind")
    for task, kind in answers:
        row = rows[where[task]]
        if kind == Annotator.Kind.PERSON:
            row.people += 1
        else:
            row.machines += 1
    for item_id in standing_critiques(ids).values_list("response__item_id", flat=True):
        rows[item_id].critiques += 1
    return list(rows.values())


@dataclass(frozen=True, slots=True)
class Whole:
    """An item with everything that stands of it: responses (those put away last), answers by annotator."""

    item: Item
    responses: list[Response]
    answers: list[Annotation]
    places: dict[int, int] = field(default_factory=dict)
    """The place of each live response, by its id."""
    more: bool = False
    """Whether there are more answers than a page shows."""
    tasks: list[int] = field(default_factory=list)
    earlier: list[Response] = field(default_factory=list)
    """Responses put away of which nothing is said but that they were compared."""


def whole(item: Item) -> Whole:
    """Everything on an item. A response that was put away is there while something is said of it."""
    responses = list(item.responses.order_by("position"))
    live = [response for response in responses if response.deleted_at is None]
    pairs = list(item.pairs.values_list("pk", flat=True))  # beside "or", a join would read all tasks
    on = Q(item=item) | Q(response__in=responses) | Q(pair__in=pairs)
    tasks = sorted(Task.objects.filter(on).values_list("pk", flat=True))
    found = Annotation.objects.answers().filter(task__in=tasks).order_by("-pk")
    found = found.select_related("annotator__user", "protocol", "task__pair")
    told = found.prefetch_related("preferences", "verdicts", "ranks", "critiques__derived_from__annotation__annotator")
    answers = list(told[: MOST_ANSWERS + 1])
    answers, more = answers[:MOST_ANSWERS][::-1], len(answers) > MOST_ANSWERS
    said: set[Any] = {one.response_id for answer in answers for one in answer.critiques.all()}
    said |= {one.response_id for answer in answers for one in answer.verdicts.all()}
    gone = [response for response in responses if response.deleted_at is not None and response.pk in said]
    compared = {pk for answer in answers if (pair := answer.task.pair) for pk in (pair.first_id, pair.second_id)}
    compared |= {one.response_id for answer in answers for one in answer.ranks.all()}
    earlier = [one for one in responses if one.deleted_at is not None and one.pk in compared - said]
    places = {response.pk: n for n, response in enumerate(live)}
    return Whole(item, live + gone, answers, places, more, tasks, earlier)


def names_of(found: Whole) -> dict[int, str]:
    """What the responses of an item are called: by their places, and those put away by what took theirs."""
    names = {pk: f"Response {place + 1}" for pk, place in found.places.items()}
    away = sorted(one.pk for one in [*found.responses, *found.earlier] if one.pk not in names)
    if not away:
        return names
    now = sorted(found.places, key=lambda pk: found.places[pk])
    past = Change.objects.filter(item=found.item).order_by("-pk").values_list("before", flat=True)[:CHANGES]
    called = {pk: instead_of(pk, now, list(past)) for pk in away}
    alike = Counter(called.values())
    seen: Counter[str] = Counter()
    for pk, name in called.items():
        seen[name] += 1
        names[pk] = name + (f" ({seen[name]})" if alike[name] > 1 else "")
    return names


def instead_of(response: int, now: Sequence[int], past: Sequence[dict[str, Any]]) -> str:
    """A response put away by the one that stands in its place since; `past` is what the item was, the latest first."""
    for before in past:
        places = before.get("responses", {})
        if str(response) in places:
            place = sorted(places, key=lambda pk: places[pk]).index(str(response))
            replaced = place < len(now) and str(now[place]) not in places
            return f"earlier text of Response {place + 1}" if replaced else PUT_AWAY
    return PUT_AWAY
