"""What a new project may start from: each preset is a protocol that fits a common question."""

from __future__ import annotations

from itertools import groupby

from curation.presets.error_spans import ERROR_SPANS
from curation.presets.grounded_sentences import GROUNDED_SENTENCES
from curation.presets.helpful_harmless import HELPFUL_HARMLESS
from curation.presets.pairwise import PAIRWISE, PAIRWISE_FINE
from curation.presets.preset import GROUPS, Preset
from curation.presets.ranking import RANKING
from curation.presets.span_critique import SPAN_CRITIQUE
from curation.presets.step_critique import STEP_CRITIQUE
from curation.presets.verdict_critique import VERDICT_CRITIQUE

PRESETS = {
    preset.name: preset
    for preset in (
        PAIRWISE,
        PAIRWISE_FINE,
        HELPFUL_HARMLESS,
        SPAN_CRITIQUE,
        VERDICT_CRITIQUE,
        ERROR_SPANS,
        STEP_CRITIQUE,
        GROUNDED_SENTENCES,
        RANKING,
    )
}
"""In the order of their groups."""
DEFAULT = "pairwise"


def grouped() -> list[tuple[str, list[Preset]]]:
    """The presets under the headings of the page on which one is chosen."""
    return [(group, list(presets)) for group, presets in groupby(PRESETS.values(), key=lambda preset: preset.group)]


__all__ = ["DEFAULT", "GROUPS", "PRESETS", "Preset", "grouped"]
