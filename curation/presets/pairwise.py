"""Which of two responses is better, on one question."""

from __future__ import annotations

from curation.presets.preset import Preset

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

HOW_MUCH = """
## How much better

- *Slightly*: you hesitate, and a colleague might well choose the other.
- *Better*: you can name the reason.
- *Much better*: nobody careful would choose the other.
"""

PAIRWISE = Preset(
    name="pairwise",
    title="Pairwise, five steps",
    group="Compare",
    about="Much better, better, tie, better, much better. Fast, and enough for most reward models.",
    guidelines=GUIDELINES,
    sample="helpfulness.jsonl",
)
PAIRWISE_FINE = Preset(
    name="pairwise-fine",
    title="Pairwise, seven steps",
    group="Compare",
    about="Adds “slightly better” on each side, for margins that a trainer can use.",
    guidelines=GUIDELINES + HOW_MUCH,
    sample="helpfulness.jsonl",
    strengths=3,
)
