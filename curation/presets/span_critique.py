"""A critique in words and the spans that it rests on, good and poor: Text2Grad (arXiv 2505.22338)."""

from __future__ import annotations

from curation.models import TaskKind
from curation.presets.preset import Preset
from curation.protocols import Asked, Critiques, Help

GUIDELINES = """\
## What to do

1. Read the prompt and the whole response.
2. Write the **overall critique** in two to five sentences: what is best, what is worst, what is missing.
3. Mark the few **spans** that prove it, as *good* or *poor*, and say of each in a sentence why.

Every span must be supported by the overall critique. A span that you would not mention there is not worth marking.

## How to mark

- **Short and exact**: the words that are wrong or well done, not the paragraph around them. For a \
wrong number, the number.
- **Few**: about two to six spans. Much more than a third of the text marked teaches a model nothing.
- **Poor**: wrong, misleading, off the question, unclear, padded. Write the *edit* if you know what should stand \
there; an empty edit means: leave it out.
- **Good**: worth imitating, not merely correct. “Nothing wrong with it” is no reason.
- **Missing**: mark the place where it should be, or the whole response if it has no place.

## Borderline cases

- *One mistake, several places*: mark where it arises; where it is only carried on, do not punish it again.
- *Right but unasked*: poor when it costs the reader time, unmarked when it is a short, useful remark.
- *Good and poor in one sentence*: two spans that do not overlap.
- *Matters of taste*: leave them.
- *Code*: mark the smallest expression that makes it wrong.

## Suggestions of a critic

They are guesses, and some are wrong. Check each against the text and what you know: *accept* what you would have \
written, *edit* what is right at heart, *reject* the rest. Then look for what the critic has missed.
"""

SPAN_CRITIQUE = Preset(
    name="span-critique",
    title="Span critique",
    group="Critique",
    about="An overall critique and the good and poor spans that it rests on, with edits. For rewards on tokens, as in "
    "Text2Grad.",
    guidelines=GUIDELINES,
    sample="span-critique.jsonl",
    target="text2grad",
    kind=TaskKind.RESPONSE,
    rationale="required",
    asked=Asked(
        unit="span",
        critiques=Critiques(on=True, polarities=["poor", "good"], comment="required", edit=True, omission=True),
        help=Help(mode="shown", holdout=0.1),
    ),
)
