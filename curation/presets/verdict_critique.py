"""Correct or not, and why: Critique-Coder (arXiv 2509.22824), CriticLean (arXiv 2507.06181)."""

from __future__ import annotations

from curation.models import TaskKind
from curation.presets.preset import Preset
from curation.protocols import Asked, Critiques, Help, Label, Question, Typed

GUIDELINES = """\
## What to do

Decide whether the response does **all** that the prompt asks: passes every test described, proves the whole claim, \
says exactly what the statement says. Then write why, so that somebody who doubts you can check it.

- **Correct** means completely: one failing test, one unproved case, one changed condition makes it incorrect.
- **Why, when it is wrong**: a concrete input with what comes out and what should; or the first step \
that does not follow.
- **Why, when it is right**: what you checked: which cases, which limits, which step that looked doubtful.
- **Kinds of error**, of a wrong response: what is at the root, seldom more than two.

You may also mark spans. Point at the smallest part that is wrong, say what should stand there, and add *evidence* \
(an address, or another place in the response) where a reader would ask for it.

## Borderline cases

- *Style, naming, missing comments*: not errors. Neither is a slow solution, unless a test or the \
prompt limits the time.
- *Right result, wrong reason*: incorrect for a proof, correct for code that passes.
- *Right code, wrong sentence about it*: correct; mark the sentence.
- *The prompt is ambiguous*: correct if one sensible reading makes it so; say which.
- *A formal statement*: compare every quantifier, type and bound. Stronger, weaker or merely \
equivalent by luck is incorrect.
- *You cannot tell*: skip it and say what you would need.

## The critic's opinion

It is shown only after you have answered, and it is often wrong in both directions. Change your answer if it has \
convinced you, not because it disagrees.
"""

ERRORS = [
    Typed(name="requirement", label="Requirement missed", about="does something else than was asked", color="purple"),
    Typed(name="edge-case", label="Edge case", about="fails on empty, negative, equal, first or last", color="orange"),
    Typed(name="logic", label="Logic", about="a wrong condition or an inference that does not follow", color="red"),
    Typed(name="calculation", label="Calculation", about="a wrong value or transformation", color="yellow"),
    Typed(name="assumption", label="Assumption", about="something taken for granted, or circular", color="pink"),
    Typed(name="formalisation", label="Formalisation", about="says something else than the statement", color="blue"),
    Typed(name="crash", label="Crash", about="does not compile, or raises", color="brown"),
    Typed(name="performance", label="Too slow", about="or needs too much memory for the limits given", color="teal"),
    Typed(name="incomplete", label="Incomplete", about="a case or a part is missing", color="green"),
    Typed(name="other", label="Other", about="say what in the comment", color="grey"),
]
VERDICT_CRITIQUE = Preset(
    name="verdict-critique",
    title="Verdict and critique",
    group="Critique",
    about="Correct or not, with the reason and the kind of error; a critic’s opinion is shown afterwards. For judges "
    "of code, proofs and formal statements.",
    guidelines=GUIDELINES,
    sample="verdict-critique.jsonl",
    target="critique-verdict",
    kind=TaskKind.RESPONSE,
    rationale="off",
    asked=Asked(
        unit="span",
        critiques=Critiques(on=True, types=ERRORS, edit=True, evidence=True),
        questions=[
            Question(name="correct", question="Is the response correct, in all that is asked?", comment="required"),
            Question(
                name="error_types",
                question="What kind of error is it?",
                kind="choices",
                options=list[Label](ERRORS),
                when={"correct": [False]},
            ),
        ],
        help=Help(mode="reveal", holdout=0.1),
    ),
)
