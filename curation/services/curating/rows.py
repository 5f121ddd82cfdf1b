"""Decided pairs as curators take them: one ordered stream, with what the curator needs beside, some hundred at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import orjson

from curation import bulk
from curation.models import TaskKind
from curation.services.deciding import Decision, decisions
from curation.services.filtering import Filters
from curation.services.fits import MAJORITY
from curation.services.freezing import decided
from curation.services.freezing.narrowing import AT_ONCE, ITEMS, RESPONSES, SCORES, looked_up
from curation.services.freezing.selecting import Selection, loaded
from curation.services.past import NOW
from workers.aggregating import numpy
from workers.curating import Curator, Row, Settings, Side

TOLD_EVERY = 5000
ALONE = """
SELECT i.id, i.external_id, i.prompt, i.prompt_hash, s.id, s.text, s.model
FROM curation_item i JOIN curation_response s ON s.item_id = i.id AND s.deleted_at IS NULL
WHERE i.project_id = %s AND i.deleted_at IS NULL ORDER BY i.id, s.id
"""
VECTORS = """
SELECT x.response_id, x.vector FROM curation_embedding x
WHERE x.response_id {} AND x.model_id {} AND x.id <= %s
"""
PROMPT_VECTORS = """
SELECT x.item_id, x.vector FROM curation_embedding x
WHERE x.item_id {} AND x.model_id {} AND x.response_id IS NULL AND x.id <= %s
"""


@dataclass
class Rows:
    """The rows of a run, from the start each time that they are gone through; `passed` is told now and then how far
    it is."""

    selection: Selection
    curator: Curator
    settings: Settings
    last_embedding: int
    passed: Callable[[int], None]
    seen: int = 0
    """Rows of the last walk."""

    def __iter__(self) -> Iterator[Row]:
        self.seen = 0
        source = alone(self.selection) if self.selection.project.kind == TaskKind.RESPONSE else self.pairs()
        while some := list(islice(source, AT_ONCE)):
            self.furnish(some)
            yield from some
            before, self.seen = self.seen, self.seen + len(some)
            if self.seen // TOLD_EVERY > before // TOLD_EVERY:
                self.passed(self.seen)

    def pairs(self) -> Iterator[Row]:
        """Every pair with an answer; of curators that take anything also the others."""
        for content, decision in decided.with_contents(self.selection):
            if decision is not None or self.curator.of == "any":
                yield row_of(content, decision)

    def furnish(self, some: list[Row]) -> None:
        """Add to some rows what the curator needs."""
        needs = self.curator.needs
        if "metadata" in needs:
            self.add_metadata(some)
        if "scores" in needs:
            self.add_scores(some)
        if "embeddings" in needs:
            self.add_vectors(some)
        if "prompt vectors" in needs and getattr(self.settings, "embedder", None) is not None:
            self.add_prompt_vectors(some)
        if "agreement" in needs and self.selection.filters.decided_by != MAJORITY:
            self.add_agreement(some)

    def add_metadata(self, some: list[Row]) -> None:
        past = self.selection.past
        items = {pk: rest for pk, *rest in looked_up(past, ITEMS, {row.item for row in some})}
        sides = {pk: loaded(given) for pk, _, _, given in looked_up(past, RESPONSES, ids_of(some))}
        for row in some:
            _, source, _, metadata = items[row.item]
            row.source, row.metadata = source or "", loaded(metadata) or {}
            for side in sides_of(row):
                side.metadata = sides.get(side.id) or {}

    def add_scores(self, some: list[Row]) -> None:
        """What the curator's `model`, and its `second`, said by the moment at which the run began, of its `head`."""
        assert self.selection.as_of is not None
        model, second = (getattr(self.settings, name, None) for name in ("model", "second"))
        head, until = getattr(self.settings, "head", ""), bulk.moment(self.selection.as_of)
        models = {pk for pk in (model, second) if pk is not None}
        found = looked_up(NOW, SCORES, ids_of(some), models, params=[until])
        scores = {(whose, response): value for whose, its, response, value in found if its == head}
        for row in some:
            for side in sides_of(row):
                side.score, side.second = scores.get((model, side.id)), scores.get((second, side.id))

    def add_vectors(self, some: list[Row]) -> None:
        np = numpy()
        embedder = getattr(self.settings, "embedder", None)
        found = looked_up(NOW, VECTORS, ids_of(some), {embedder}, params=[self.last_embedding])
        vectors = {response: np.frombuffer(vector, dtype="<f2").astype(np.float32) for response, vector in found}
        for row in some:
            for side in sides_of(row):
                side.vector = vectors.get(side.id)

    def add_prompt_vectors(self, some: list[Row]) -> None:
        import numpy as np

        embedder = getattr(self.settings, "embedder", None)
        found = looked_up(NOW, PROMPT_VECTORS, {row.item for row in some}, {embedder}, params=[self.last_embedding])
        vectors = {item: np.frombuffer(vector, dtype="<f2").astype(np.float32) for item, vector in found}
        for row in some:
            row.vector = vectors.get(row.item)

    def add_agreement(self, some: list[Row]) -> None:
        """The plain share of the answers, where a fit decided."""
        chosen = self.selection
        found = decisions(
            chosen.project,
            Filters(axis=chosen.filters.axis, annotators=chosen.filters.annotators),
            as_of=chosen.upto,
            tasks=sorted({row.task for row in some if row.task is not None}),
            protocol=chosen.protocol,
            past=chosen.past,
            settled_upto=chosen.settled,
        )
        ranked = chosen.project.kind == TaskKind.RANKING
        shares = {(one.task_id, one.responses if ranked else None): one for one in found if one.how == MAJORITY}
        for row in some:
            both = (row.first.id, row.second.id) if ranked and row.second else None
            if row.task is not None and (one := shares.get((row.task, both))):
                row.agreement = one.confidence


def row_of(content: decided.Content, decision: Decision | None) -> Row:
    row = Row(
        item=content.item_id,
        name=content.item,
        prompt=orjson.loads(content.prompt),
        prompt_hash=content.prompt_hash,
        first=Side(content.first_id, content.first, content.first_model),
        second=Side(content.second_id, content.second, content.second_model),
    )
    if decision is not None:
        row.task = decision.task_id
        row.pair, row.outcome, row.votes, row.how = decision.pair_id, decision.outcome, decision.votes, decision.how
        row.strength = None if decision.value is None else abs(decision.value)
        row.confidence = decision.confidence
        row.agreement = decision.confidence if decision.how == MAJORITY else None
    return row


def alone(selection: Selection) -> Iterator[Row]:
    """Every response of a project without pairs."""
    for item, name, prompt, prompt_hash, pk, text, model in selection.past.stream(ALONE, [selection.project.pk]):
        yield Row(item, name, orjson.loads(prompt), prompt_hash, Side(pk, text, model))


def sides_of(row: Row) -> list[Side]:
    return [row.first] if row.second is None else [row.first, row.second]


def ids_of(some: list[Row]) -> set[int]:
    return {side.id for row in some for side in sides_of(row)}
