"""What a preset is: the first protocol of a project, with guidelines and a sample to try it on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from curation.models import TaskKind
from curation.protocols import Asked

OVERALL = ({"name": "overall", "question": "Which response is better?"},)
GROUPS = ("Compare", "Critique", "Judge steps and sentences", "Rank")


@dataclass(frozen=True)
class Preset:
    """The first protocol of a project. `group` is one of GROUPS, `sample` a file of `curation/samples/`."""

    name: str
    title: str
    group: str
    about: str
    guidelines: str
    sample: str
    target: str = "trl-preference"
    """The export that fits what is asked."""
    kind: TaskKind = TaskKind.PREFERENCE
    axes: tuple[dict[str, str], ...] = field(default=OVERALL)
    strengths: int = 2
    allow_tie: bool = True
    allow_both_bad: bool = True
    rationale: str = "optional"
    asked: Asked = field(default_factory=Asked)

    def protocol(self) -> dict[str, Any]:
        """Fields of a Protocol."""
        return {
            "preset": self.name,
            "axes": [dict(axis) for axis in self.axes],
            "strengths": self.strengths,
            "guidelines": self.guidelines,
            "allow_tie": self.allow_tie,
            "allow_both_bad": self.allow_both_bad,
            "rationale": self.rationale,
            **self.asked.model_dump(),
        }
