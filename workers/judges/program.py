"""Programs that judge without a model: baselines that every real model should beat.

`program:length` is the number of words of a response (the length-only baseline of reward-model papers);
`program:brevity` the same, negative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from workers.judging import Given, Judge, Judged, Spec, Unusable, judges

PROGRAMS: dict[str, Callable[[str], float]] = {
    "length": lambda text: float(len(text.split())),
    "brevity": lambda text: -float(len(text.split())),
}


class Program:
    device = "cpu"

    def __init__(self, function: Callable[[str], float]) -> None:
        self.function = function

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for row in given:
            for candidate in row.candidates:
                yield Judged(candidate.key, scores={"": self.function(candidate.text)})


def open_program(spec: Spec) -> Program:
    """Raises Unusable naming what there is."""
    name = spec.reference.removeprefix("program:")
    if name not in PROGRAMS:
        raise Unusable(f"no program {name!r}; there is: {', '.join(sorted(PROGRAMS))}")
    return Program(PROGRAMS[name])


judges.add(Judge(name="program", title="Program", gives=("scores",), open=open_program))
