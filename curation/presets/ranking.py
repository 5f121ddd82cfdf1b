"""All responses to a prompt in one order, with ties."""

from __future__ import annotations

from curation.models import TaskKind
from curation.presets.preset import Preset
from curation.protocols import Asked

GUIDELINES = """\
## What to do

Read all responses, then put them in order, best first. Responses of equal worth share a place.

1. Take out the **worst**: wrong, harmful, or no answer to what was asked.
2. Find the **best**: the one that you would send on without a change.
3. Order the rest between them, comparing neighbours.

- **Correct first, then helpful, then well said.** A right but dry response stands above a charming wrong one.
- **Length** is no merit: a complete short answer stands above the same with padding.
- **What was asked for** counts: “one sentence” means one.

## Borderline cases

- *A tie* is for responses that you would toss a coin between, also when they are equally bad. Different wordings of \
one answer are a tie.
- *Wrong in different ways*: the one that misleads more, or is harder to notice, stands lower.
- *Right result, no explanation*: below one with a short explanation, above a wrong explanation.
- *Another language than the prompt*: below all that answer in the right one, unless it was asked for.
- *You cannot judge some of them*: skip, and say why.
"""

RANKING = Preset(
    name="ranking",
    title="Ranking",
    group="Rank",
    about="Puts all responses to a prompt in one order, ties allowed. More comparisons for each reading than pairs.",
    guidelines=GUIDELINES,
    sample="ranking.jsonl",
    kind=TaskKind.RANKING,
    asked=Asked(unit="response"),
)
