"""Gold that comes with a file: rows that say what is right on a task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from curation.models import Gold, Project
from curation.services.deciding import side
from curation.services.gold.marking import Marked, mark
from workers.rows import GoldRow


class GoldBox:
    """Collects what a batch says is right, and makes gold of it at its end. A task that is gold stays as it is."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.collected: dict[int, tuple[dict[str, Any], str, list[str]]] = {}

    def put(
        self,
        rows: Sequence[GoldRow],
        responses: Sequence[int],
        tasks: Mapping[int, int],
        where: Mapping[tuple[int, int], Any] | None = None,
    ) -> None:
        """Take the gold of one item, whose responses and tasks are known by now; `where` names those of its pairs."""
        for row in rows:
            if row.vote is not None:
                self.put_preference(row, where or {})
            elif row.answer is not None and (task := tasks.get(responses[row.answer.response])) is not None:
                self.put_answer(row, responses, task)

    def put_preference(self, row: GoldRow, where: Mapping[tuple[int, int], Any]) -> None:
        vote = row.vote
        assert vote is not None
        backwards = vote.first > vote.second
        place = where.get((vote.second, vote.first) if backwards else (vote.first, vote.second))
        if place is not None:
            turned = backwards != place.swapped
            value = -vote.value if turned and vote.value is not None else vote.value
            expected = self.on(row, place.task_id)
            expected.setdefault("preferences", {})[vote.axis] = [side(value, vote.both_bad)]

    def put_answer(self, row: GoldRow, responses: Sequence[int], task: int) -> None:
        answer, expected = row.answer, self.on(row, task)
        assert answer is not None
        response = responses[answer.response]
        for one in answer.verdicts:
            told = {"question": one.question, "start": one.start, "end": one.end, "answer": one.answer}
            expected.setdefault("verdicts", []).append({"response": response, **told})
        for said in answer.critiques:
            told = {name: getattr(said, name) for name in ("start", "end", "message", "type", "severity", "quote")}
            kept = {"polarity": said.polarity, "comment": said.comment}
            expected.setdefault("critiques", []).append({"response": response, **told, **kept})
        if answer.ranks:
            expected["ranks"] = {str(pk): rank for pk, rank in zip(responses, answer.ranks, strict=False)}

    def on(self, row: GoldRow, task: int) -> dict[str, Any]:
        """What is expected on a task so far."""
        expected, _, words = self.collected.setdefault(task, ({}, row.phase, []))
        if row.explanation:
            words.append(row.explanation)
        return expected

    def flush(self) -> int:
        """Make gold of what was collected; how many tasks."""
        phases: defaultdict[str, list[Marked]] = defaultdict(list)
        for task, (expected, phase, words) in self.collected.items():
            phases[phase].append(Marked(task, expected, None, "\n\n".join(dict.fromkeys(words))))
        self.collected = {}
        made = (
            mark(project=self.project, rows=rows, made_from=Gold.MadeFrom.IMPORT, phase=phase)
            for phase, rows in phases.items()
        )
        return sum(map(len, made))
