"""Pairs on which too few of the answers agree: dropped, or asked again while they have few answers.

The plainest filter that there is; whose answers, a run chooses. Where a fit decided, it is still the plain share of the
answers that is looked at (`confidence.py` looks at the fit).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import Field

from workers.curating import Aid, Curator, Proposal, Row, Settings, curators

CAUSE = "too few answers agree"


class AgreementSettings(Settings):
    least: float = Field(
        default=0.7, ge=0, le=1, title="Agreement", description="smallest share of the answers on the decided side"
    )
    votes: int = Field(
        default=2,
        ge=1,
        le=1000,
        title="Answers",
        description="a pair with fewer answers is left alone: nobody could disagree",
    )
    ask_below: int = Field(
        default=5,
        ge=0,
        le=50,
        title="Ask again below",
        description="with fewer answers people are asked again, with as many the pair is dropped; 0: always dropped",
    )


def propose(rows: Iterable[Row], params: AgreementSettings, aid: Aid) -> Iterator[Proposal]:
    for row in rows:
        share = row.agreement
        if share is None or row.settled or row.votes < params.votes or (row.labelled and share >= params.least):
            continue
        on = f"{round(share * row.votes)} of {row.votes} answers agree"
        reason = on if row.labelled else f"{on}, and no response has the majority" if row.outcome == "undecided" else ""
        if reason:
            yield Proposal(row.subject, "ask" if row.votes < params.ask_below else "drop", 1 - share, reason, CAUSE)


curators.add(
    Curator(
        name="agreement",
        title="Agreement of the answers",
        about="Drops pairs on which too few of the answers agree, or sends them to people again.",
        propose=propose,
        params=AgreementSettings,
        needs=frozenset({"agreement"}),
    )
)
