"""Self-reference AI feedback over a queue: a critic answers each prompt itself, criticises both responses against its
answer, and votes over several rounds in both orders. Votes become suggestions with their strength.

The own answer is one completion a prompt, whatever pairs it has. Rounds that cannot be read have no vote, identical
responses and texts with marks of chat templates are left out and counted, and a tie is unsure: people decide it.
Suggestions are written in the transaction that ends their shard, completions before it (see `completions`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import Field

from curation.models import Annotator, Protocol, Run, Shard
from curation.services import candidates, completions, critiquing, laying, rounds, suggestions
from curation.services.completions import Done
from curation.services.method import Method, Piece
from curation.services.rounds import Pair
from curation.services.running import Report
from curation.services.sharding import ShardReport
from curation.services.suggestions import Suggestion
from workers.criticising import Critic, Subject, request, ways
from workers.critics.self_reference import PRINCIPLE, has_template, is_refusal, itself, own_answer, round_of
from workers.critics.voting import Round, Voted, in_words, vote

NAME = "self-reference"
MOST_PRINCIPLE = 500


class SelfReferenceParams(rounds.RoundParams):
    model: int = Field(
        title="Critic",
        description="which model answers, criticises and prefers",
        json_schema_extra={"choose": "model", "kinds": ["critic"]},
    )
    principle: str = Field(
        default=PRINCIPLE,
        min_length=1,
        max_length=MOST_PRINCIPLE,
        title="Principle",
        description="one general sentence, under which the critic decides; the run keeps it",
    )
    rounds: int = Field(
        default=4,
        ge=2,
        le=24,
        multiple_of=2,
        title="Rounds on each pair",
        description="half of them in each order; the majority counts, and a tie is unsure",
    )


@dataclass(slots=True)
class Asked:
    """A pair with the own answer to its prompt, and what was asked of it."""

    pair: Pair
    own: str
    subjects: list[Subject]


def plan(run: Run, params: SelfReferenceParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    rounds.axis_of(run.home, params.axis)
    return critiquing.queued(run.home, params, after)


def work(run: Run, shard: Shard, params: SelfReferenceParams, report: ShardReport) -> None:
    """Answer the prompts of a shard, vote on its pairs, and write the votes as suggestions."""
    model, protocol = run.model, run.home.protocol
    assert model is not None and protocol is not None
    critic = cast(Critic, candidates.opened(model))
    way = ways.get(NAME)
    rounds.may_ask(critic, way, model)
    report.device = critic.device
    axis = rounds.axis_of(run.home, params.axis)
    wanted = rounds.wanted_of(run.home, axis, principle=params.principle)
    told, counts = rounds.progress_of(report), Counter[str]()
    length = params.max_tokens or critic.max_tokens
    pairs = [one for one in rounds.pairs_of(run.home, shard.spec["tasks"]) if fit(one, counts)]

    owned = completions.once(
        model, critic, [itself(one.prompt, one.documents, max_tokens=length) for one in pairs], told
    )
    rounds.log_unread(report, owned)
    answered = [(pair, own_answer(one.raw)) for pair, one in zip(pairs, owned, strict=True) if not one.refused]
    asked = [Asked(pair, own, list(pair.subjects(params.rounds, own=own))) for pair, own in answered]
    how = {"temperature": params.temperature, "max_tokens": length}
    questions = [
        request(way, wanted, subject, seed=number, **how)
        for one in asked
        for number, subject in enumerate(one.subjects)
    ]
    done = completions.completed(model, critic, questions, told, rounds.COOLER)
    rounds.log_unread(report, done)
    counts.update(critiquing.counted([*owned, *done]))

    voted = [voted_on(one, some, params) for one, some in zip(asked, by_pair(done, params.rounds), strict=True)]
    counts.update(rounds.counted(voted))
    counts["own answers that are refusals"] = sum(is_refusal(one.own) for one in asked)
    given = [
        (one.pair.task, worded(one, axis, result, each, protocol))
        for one, (result, each) in zip(asked, voted, strict=True)
        if result.a or result.b
    ]
    report.progress(shard.size)
    with report.committing():
        landed = suggestions.suggest(
            project=run.home,
            kind=Annotator.Kind.MODEL,
            name=model.name,
            version=f"v{model.number} {NAME}",
            given=given,
        )
        counts.update(rounds.log_rejected(report, landed))
        Shard.objects.filter(pk=shard.pk).update(result=dict(counts))


def fit(pair: Pair, counts: Counter[str]) -> bool:
    """Whether a pair can be voted on; what cannot is counted."""
    if pair.texts[0] == pair.texts[1]:
        counts["identical"] += 1
        return False
    texts = [str(turn.get("content", "")) for turn in pair.prompt]
    if has_template(*texts, *pair.documents, *pair.texts[0], *pair.texts[1]):
        counts["with marks of a chat template"] += 1
        return False
    return True


def by_pair(done: Sequence[Done], size: int) -> list[Sequence[Done]]:
    return [done[start : start + size] for start in range(0, len(done), size)]


def voted_on(one: Asked, done: Sequence[Done], params: SelfReferenceParams) -> tuple[Voted, list[Round]]:
    """The vote on a pair and its rounds; one that could not be read has no verdict."""
    each = [
        Round(first="b" if subject.turned else "a", verdict="")
        if answer.parsed is None
        else round_of(subject, answer.parsed)
        for subject, answer in zip(one.subjects, done, strict=True)
    ]
    return vote(each, params.least_strength), each


def worded(one: Asked, axis: str, result: Voted, each: Sequence[Round], protocol: Protocol) -> Suggestion:
    words = in_words(result, each, own=one.own, refused=is_refusal(one.own))
    return rounds.suggestion(one.pair, axis, result, protocol, words)


def close(run: Run, params: SelfReferenceParams, report: Report) -> dict[str, Any]:
    """Sums over the shards, and whether places mean something to the judge."""
    result = laying.summed(run)
    return result | {"axis": rounds.axis_of(run.home, params.axis), "position": rounds.position(result)}


METHOD = Method(
    name=NAME,
    title="Self-reference AI feedback",
    about="A critic answers each prompt itself, criticises both responses against its answer, and prefers one under a "
    "single principle; rounds in both orders vote, and a tie is left to people.",
    params=SelfReferenceParams,
    unit="tasks",
    plan=plan,
    work=work,
    close=close,
    split=critiquing.halves,
    shard_seconds=3600,
)
