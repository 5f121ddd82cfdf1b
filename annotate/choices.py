"""The decisions that a scale allows, as the buttons and keys of the screen."""

from __future__ import annotations

from dataclasses import dataclass

from curation.models import TaskKind
from curation.services.desk import Scale


@dataclass(frozen=True, slots=True)
class Choice:
    """One button: `value` in shown order (None is both bad), its words, and the key that presses it."""

    value: int | None
    label: str
    key: str
    shortcut: str
    side: str

    @property
    def name(self) -> str:
        return "both_bad" if self.value is None else str(self.value)


def choices(scale: Scale) -> list[Choice]:
    """From the left response much better to the right one much better; none where no pair is compared."""
    if scale.kind != TaskKind.PREFERENCE:
        return []
    left = [Choice(-n, f"1 {word}", key.format("1"), aria.format("1"), "first") for n, word, key, aria in steps(scale)]
    right = [Choice(n, f"2 {word}", key.format("2"), aria.format("2"), "second") for n, word, key, aria in steps(scale)]
    middle = []
    if scale.allow_tie:
        middle.append(Choice(0, "Tie", "0", "0", "tie"))
    if scale.allow_both_bad:
        middle.append(Choice(None, "Both bad", "B", "b", "bad"))
    return [*reversed(left), *middle, *right]


def steps(scale: Scale) -> list[tuple[int, str, str, str]]:
    """Strength, words, key as shown and as announced; weakest first."""
    better, much = ("better", "{}", "{}"), ("much better", "⇧{}", "Shift+{}")
    match scale.strengths:
        case 1:
            return [(1, *better)]
        case 2:
            return [(1, *better), (2, *much)]
    return [(1, "slightly better", "⌥{}", "Alt+{}"), (2, *better), (3, *much)]
