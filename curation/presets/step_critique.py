"""The first wrong step of a solution, with a critique of each: PRM800K's scale, DeepCritic (arXiv 2505.00662)."""

from __future__ import annotations

from curation.models import TaskKind
from curation.presets.preset import Preset
from curation.protocols import Asked, Critiques, Help, Question, Typed

GUIDELINES = """\
## What to do

Work the problem out yourself first. Then judge the steps from the top, each given the problem and the steps before it.

- **1, good**: correct, and brings the solution forward.
- **0, neutral**: correct but unneeded, vague, or only a repetition. It counts as right.
- **−1, wrong**: something in it is false, does not follow, or cannot lead to what is asked.

After the **first −1** you are done: later steps stay open, since they build on a mistake.

## The critique

Write it as you would to the author: recompute what can be recomputed, name the rule used, say what exactly fails \
and what would be right. The step rated −1 always has one; elsewhere write it where a reader might doubt. You may \
also write the step as it should stand, as a suggested *edit* with the kind of error.

## Borderline cases

- *A mistake that is mended in the same step* is none; one that is mended later is −1 where it stands.
- *Right by luck*: a step whose result is right but whose reason is false is −1.
- *A gap*: −1 if you cannot close it in a line or two; else 1.
- *Rounding, missing units, loose notation*: −1 only when the answer suffers.
- *An unusual way*: 1 if it works. Judge the step, not the elegance.
- *A plan that will not work out* (“we will try all cases” of infinitely many): −1.
- *All steps right but the question not answered*: rate the last step −1 and say so.

## Suggestions

The critic stops at its own first −1, rightly or wrongly. If you overturn it, go on from there by yourself.
"""

STEP_CRITIQUE = Preset(
    name="step-critique",
    title="Step by step",
    group="Judge steps and sentences",
    about="Rates the steps of a solution up to the first wrong one, with critiques. For process reward models and "
    "critics, as in PRM800K and DeepCritic.",
    guidelines=GUIDELINES,
    sample="step-critique.jsonl",
    target="trl-stepwise",
    kind=TaskKind.RESPONSE,
    rationale="off",
    asked=Asked(
        unit="step",
        critiques=Critiques(
            on=True,
            types=[
                Typed(name="calculation", label="Calculation", about="a wrong value or transformation", color="orange"),
                Typed(name="logic", label="Logic", about="does not follow, or counts wrongly", color="red"),
                Typed(name="concept", label="Concept", about="a wrong rule, formula or law", color="purple"),
                Typed(name="misread", label="Misread", about="not what the problem says", color="blue"),
                Typed(name="gap", label="Gap", about="something needed is not shown", color="yellow"),
                Typed(name="other", label="Other", about="say what in the comment", color="grey"),
            ],
            edit=True,
        ),
        questions=[
            Question(
                name="step",
                question="How good is this step?",
                kind="rating",
                scope="unit",
                low=-1,
                high=1,
                stop=-1,
                comment="optional",
                comment_for=[-1],
            )
        ],
        help=Help(mode="shown", holdout=0.1),
    ),
)
