"""Candidates by what is known of their items, responses and scores, and no more of them than are wanted.

Both look things up for some hundred candidates at a time, in whatever order these come, so memory stays constant. Caps
and balance go over the candidates once or twice before, and keep counters only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from typing import Any

import orjson
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from curation import bulk
from curation.models import DatasetVersion, Gold
from curation.services.filtering import SIDES, Condition, Range, moment
from curation.services.freezing import curated
from curation.services.freezing.moments import in_utc
from curation.services.freezing.selecting import Candidate, Selection, loaded
from curation.services.past import NOW, Past
from workers.writers import Dropped

AT_ONCE = 500
LAST = "9999-01-01"
NO_SCORE = "no score"
OUT_OF_RANGE = "outside the range of scores"
KEPT_APART, NO_GOLD = "kept apart as gold", "no gold"
PROMPTS = "SELECT i.prompt_hash FROM curation_item i WHERE i.id {}"
PROMPT_CAP, ROW_CAP, UNBALANCED = "over the cap of its prompt", "over the cap", "left out for balance"
ITEMS = """
SELECT i.id, i.external_id, s.name, i.created_at, i.metadata
FROM curation_item i LEFT JOIN curation_source s ON s.id = i.source_id WHERE i.id {}
"""
RESPONSES = "SELECT s.id, s.model, LENGTH(s.text), s.metadata FROM curation_response s WHERE s.id {}"
SCORES = """
SELECT x.model_id, x.head, x.response_id, x.value FROM curation_score x
WHERE x.response_id {} AND x.model_id {} AND x.created_at <= %s
"""


def narrowed(selection: Selection, found: Callable[[Selection], Iterator[Candidate]]) -> Iterator[Candidate]:
    """The candidates that `found` gives, those that are not wanted with the reason why."""

    def again() -> Iterator[Candidate]:
        seen = judged(selection, found(selection))
        return selection.kept_out(seen) if selection.kept_out else seen

    wanted = selection.filters
    return thinned(selection, again) if wanted.caps or wanted.balance else again()


def judged(selection: Selection, found: Iterator[Candidate]) -> Iterator[Candidate]:
    """Candidates that do not meet a condition get its reason; the others what is needed of them later."""
    wanted, by_source = selection.filters, selection.split_by == DatasetVersion.SplitBy.SOURCE
    found = curated.followed(selection, found) if wanted.curated else found
    found = apart(selection, found) if wanted.gold != "include" else found
    if not (wanted.where or wanted.scores or wanted.balance or by_source):
        yield from found
        return
    while some := list(islice(found, AT_ONCE)):
        known = Known(selection, some)
        for one in some:
            if one.reason is None and (reason := known.against(one)):
                one = replace(one, reason=reason)
            elif one.reason is None:
                group = key_of(known.values(wanted.balance.by, one)) if wanted.balance else ""
                source = known.items[one.item_id]["source"] or "" if by_source else ""
                one = replace(one, group=group, source=source)
            yield one


def apart(selection: Selection, found: Iterator[Candidate]) -> Iterator[Candidate]:
    """Candidates whose prompt has gold get a reason, or all others do."""
    golden, left_out = prompts_with_gold(selection), selection.filters.gold == "exclude"
    for one in found:
        if one.reason is None and (one.prompt_hash in golden) == left_out:
            one = replace(one, reason=KEPT_APART if left_out else NO_GOLD)
        yield one


def prompts_with_gold(selection: Selection) -> set[str]:
    """The prompts of which anything was gold at the moment of the version, as they were then."""
    at = selection.as_of or timezone.now()
    rows = Gold.objects.filter(Q(retired_at=None) | Q(retired_at__gt=at), project=selection.project, created_at__lte=at)
    items = rows.values_list(Coalesce("task__item", "task__pair__item", "task__response__item"), flat=True)
    return {name for (name,) in looked_up(selection.past, PROMPTS, set(items))}


@dataclass
class Known:
    """What is known of some candidates, each kind looked up when it is asked for."""

    selection: Selection
    some: Sequence[Candidate]

    def against(self, one: Candidate) -> str | None:
        """The first condition that does not hold, in words."""
        for condition in self.selection.filters.where:
            if not holds(condition, self.values(condition.field, one)):
                return f"not {condition.field} {condition.op} what is asked"
        for wanted in self.selection.filters.scores:
            if reason := self.out_of(wanted, one):
                return reason
        return None

    def values(self, name: str, one: Candidate) -> list[Any]:
        """What a field is: nothing where it is missing, several of several responses."""
        part, _, rest = name.partition(".")
        if part == "prompt":
            return [prompt(rest, one.given)]
        if part in SIDES:
            about = {"chosen": one.responses[:1], "rejected": one.responses[1:]}.get(part, one.responses)
            return [value for pk in about for value in value_at(self.responses[pk], rest)]
        return value_at(self.items[one.item_id], rest)

    def out_of(self, wanted: Range, one: Candidate) -> str | None:
        """Why a candidate is not in a range; of several responses one in it is enough."""
        about = {"chosen": one.responses[:1], "rejected": one.responses[1:]}.get(wanted.of, one.responses)
        found = [self.scores.get((wanted.model, wanted.head, pk)) for pk in about]
        values = [value for value in found if value is not None]
        if not values or (wanted.of == "margin" and len(values) < 2):
            return NO_SCORE
        if wanted.of == "margin":
            values = [values[0] - values[1]]
        inside = any(
            (wanted.min is None or value >= wanted.min) and (wanted.max is None or value <= wanted.max)
            for value in values
        )
        return None if inside else OUT_OF_RANGE

    @cached_property
    def items(self) -> dict[int, dict[str, Any]]:
        rows = looked_up(self.selection.past, ITEMS, {one.item_id for one in self.some})
        return {
            pk: {"external_id": name, "source": source, "created_at": in_utc(at), "metadata": loaded(metadata)}
            for pk, name, source, at, metadata in rows
        }

    @cached_property
    def responses(self) -> dict[int, dict[str, Any]]:
        rows = looked_up(self.selection.past, RESPONSES, self.response_ids)
        return {pk: {"model": m, "chars": chars, "metadata": loaded(given)} for pk, m, chars, given in rows}

    @cached_property
    def scores(self) -> dict[tuple[Any, str, int], float]:
        models = {wanted.model for wanted in self.selection.filters.scores}
        until = bulk.moment(moment(self.selection.as_of or LAST))
        rows = looked_up(NOW, SCORES, self.response_ids, models, params=[until])
        return {(model_id, head, response_id): value for model_id, head, response_id, value in rows}

    @property
    def response_ids(self) -> set[int]:
        return {pk for one in self.some for pk in one.responses}


def looked_up(past: Past, sql: str, *ids: set[Any], params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Rows of a statement with a place for each set of ids, and further parameters behind."""
    each = [bulk.one_of(sorted(some)) for some in ids]
    return past.rows(sql.format(*(text for text, _ in each)), [*(param for _, param in each), *params])


def value_at(known: Mapping[str, Any], path: str) -> list[Any]:
    """The value behind a dotted path; nothing where there is none."""
    name, *steps = path.split(".")
    found = known[name]
    for step in steps:
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            return []
    return [] if found is None and not steps else [found]


def prompt(what: str, given: Any) -> Any:
    messages = (given[0] if isinstance(given, list) else given).prompt
    texts = [message["content"] for message in messages]
    return {"chars": sum(map(len, texts)), "turns": len(texts), "text": "\n\n".join(texts)}[what]


def holds(condition: Condition, values: Sequence[Any]) -> bool:
    """Whether any of the values is what is asked; for the negations, whether none is."""
    op, wanted = condition.op, condition.value
    if op == "exists":
        return any(value is not None for value in values) == wanted
    if condition.field == "item.created_at":
        told = [in_utc(moment(one)) for one in (wanted if isinstance(wanted, list) else [wanted])]
        wanted = told if isinstance(wanted, list) else told[0]
    if op in ("eq", "ne"):
        return any(same(value, wanted) for value in values) == (op == "eq")
    if op in ("in", "not_in"):
        return any(same(value, one) for value in values for one in wanted) == (op == "in")
    if op == "contains":
        return any(contains(value, wanted) for value in values)
    return any(ordered(value, op, wanted) for value in values)


def same(value: Any, wanted: Any) -> bool:
    """Equal as JSON: 1 is 1.0, and no boolean."""
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, str):
        return isinstance(wanted, str) and wanted.casefold() in value.casefold()
    return isinstance(value, list) and any(same(one, wanted) for one in value)


def ordered(value: Any, op: str, wanted: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, str if isinstance(wanted, str) else int | float):
        return False
    below, equal = value < wanted, value == wanted
    return bool({"lt": below, "le": below or equal, "gt": not below and not equal, "ge": not below}[op])


def key_of(values: Sequence[Any]) -> str:
    """One text for the values of a field, in whatever order they are; long ones are shortened."""
    texts = sorted(orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() for value in values)
    text = "\n".join(texts)
    return text if len(text) <= 64 else blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass
class Draw:
    """Of each group as many as are wanted, each as likely as the others, by the seed alone: it counts what is left."""

    name: str
    group: Callable[[Candidate], str]
    left: dict[str, int]
    most: int
    seed: int
    wanted: dict[str, int] = field(default_factory=dict)

    def takes(self, one: Candidate) -> bool:
        group = self.group(one)
        left = self.left.get(group)
        if left is None:
            return True
        wanted = self.wanted.get(group, self.most)
        digest = blake2b(f"{self.seed}:{self.name}:{group}:{left}".encode(), digest_size=8).digest()
        taken = int.from_bytes(digest, "big") % left < wanted
        self.left[group], self.wanted[group] = left - 1, wanted - taken
        return taken

    def anew(self) -> Draw:
        return replace(self, left=dict(self.left), wanted={})


def thinned(selection: Selection, again: Callable[[], Iterator[Candidate]]) -> Iterator[Candidate]:
    """No more candidates than the caps and the balance allow; what gives no row anyhow counts for neither."""
    wanted, seed = selection.filters, selection.seed
    draws: list[Draw] = []

    def remaining() -> Iterator[Candidate]:
        fresh = [draw.anew() for draw in draws]
        return (one for one in again() if gives_rows(selection, one) and all(draw.takes(one) for draw in fresh))

    if wanted.caps and (most := wanted.caps.per_prompt):
        counts = Counter(one.prompt_hash for one in remaining())
        draws.append(Draw(PROMPT_CAP, lambda one: one.prompt_hash, above(counts, most), most, seed))
    limit = wanted.caps.rows if wanted.caps else None
    if wanted.balance or limit:
        counts = Counter(one.group for one in remaining())
        if wanted.balance:
            asked = wanted.balance.most
            most = min(counts.values(), default=0) if asked == "smallest" else asked
            draws.append(Draw(UNBALANCED, lambda one: one.group, above(counts, most), most, seed))
            counts = Counter({group: min(n, most) for group, n in counts.items()})
        if limit:
            draws.append(Draw(ROW_CAP, lambda _one: "", above({"": counts.total()}, limit), limit, seed))
    for one in again():
        refused = next((d.name for d in draws if not d.takes(one)), None) if gives_rows(selection, one) else None
        yield replace(one, reason=refused) if refused else one


def above(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """The groups of which not all are wanted."""
    return {group: n for group, n in counts.items() if n > most}


def gives_rows(selection: Selection, one: Candidate) -> bool:
    if one.reason is not None:
        return False
    try:
        return bool(selection.target.rows(one.given))
    except Dropped:
        return False
