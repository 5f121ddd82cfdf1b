"""Labels of which the decision itself is not sure: flipped, dropped or asked again by their probability.

Of a fit (Dawid–Skene, MACE, GLAD, noisy Bradley–Terry: `workers/aggregators/`) it is the posterior probability of the
decided label; of the majority it is its share of the answers, which `agreement.py` says better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field

from workers.curating import Aid, Curator, Proposal, Row, Settings, curators

CAUSE, NO_SIDE = "the label is uncertain", "no response is preferred"


class ConfidenceSettings(Settings):
    least: float = Field(
        default=0.8, ge=0, le=1, title="Confidence", description="smallest probability of the decided label"
    )
    action: Literal["drop", "ask"] = Field(
        default="drop", title="Below it", description="drop the pair, or ask people again"
    )
    without: bool = Field(
        default=False,
        title="Ties too",
        description="also pairs without a preferred response: ties, both bad, undecided",
    )


def propose(rows: Iterable[Row], params: ConfidenceSettings, aid: Aid) -> Iterator[Proposal]:
    for row in rows:
        if row.settled or row.second is None:
            continue
        if not row.labelled:
            if params.without:
                words = f"decided as {row.outcome.replace('_', ' ')} with a confidence of {row.confidence:.2f}"
                yield Proposal(row.subject, params.action, 1 - row.confidence, words, NO_SIDE)
        elif row.confidence < params.least:
            words = (
                f"decided by {row.how.split('@')[0]} with a confidence of {row.confidence:.2f}, below {params.least:g}"
            )
            yield Proposal(row.subject, params.action, 1 - row.confidence, words, CAUSE)


curators.add(
    Curator(
        name="confidence",
        title="Confidence of the label",
        about="Drops pairs whose decided label is not likely enough by the fit that decided it, or asks people again.",
        propose=propose,
        params=ConfidenceSettings,
    )
)
