"""What a new project may start from: each preset is a protocol that fits a common question."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OVERALL = ({"name": "overall", "question": "Which response is better?"},)

GUIDELINES = """\
## What to do

Read the prompt and both responses to the end, then say which response you would rather have received.

- **Correct first.** A response with a wrong fact, a wrong result or code that fails loses to one without.
- **Then helpful.** It answers what was asked, completely, at a fitting length.
- **Then well said.** Clear, ordered, and no longer than it needs to be.

Do not reward length, politeness or formatting for their own sake.

## Ties and bad pairs

- *Tie*: you looked, and they are equally good.
- *Both bad*: neither should be used to teach a model.
- *Skip*: you cannot judge it, for instance because you do not read the language. Say why.
"""

FINE_GUIDELINES = (
    GUIDELINES
    + """
## How much better

- *Slightly*: you hesitate, and a colleague might well choose the other.
- *Better*: you can name the reason.
- *Much better*: nobody careful would choose the other.
"""
)


@dataclass(frozen=True)
class Preset:
    """The first protocol of a project."""

    name: str
    title: str
    about: str
    strengths: int
    guidelines: str
    axes: tuple[dict[str, str], ...] = field(default=OVERALL)

    def protocol(self) -> dict[str, Any]:
        """Fields of a Protocol."""
        axes = [dict(axis) for axis in self.axes]
        return {"axes": axes, "strengths": self.strengths, "guidelines": self.guidelines}


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="pairwise",
            title="Pairwise, five steps",
            about="Much better, better, tie, better, much better. Fast, and enough for most reward models.",
            strengths=2,
            guidelines=GUIDELINES,
        ),
        Preset(
            name="pairwise-fine",
            title="Pairwise, seven steps",
            about="Adds “slightly better” on each side, for margins that a trainer can use.",
            strengths=3,
            guidelines=FINE_GUIDELINES,
        ),
    )
}
DEFAULT = "pairwise"
