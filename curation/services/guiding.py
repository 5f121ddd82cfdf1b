"""Preference-guided annotation over a queue: critics judge each pair after the gold pairs that are most like it.

Skywork-Reward-V2 (arXiv 2507.01352, section 3). Each critic gives several samples in both orders, and the majority of
them is its vote; of several critics more than half decide, or the pair is unsure and left to people. Every critic's
vote is a suggestion of its own, and what they come to together one of the program `guided`.

Gold pairs are looked for by the vectors of their prompts, and one of the pair's own prompt is never shown. Which gold
there was when the run was planned holds for all of it, short of what is taken back meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Max, Q, QuerySet
from pydantic import Field

from curation.errors import Invalid
from curation.models import Annotator, Gold, ModelVersion, Project, Run, Shard
from curation.services import candidates, completions, critiquing, embedding, laying, rounds, suggestions
from curation.services.gold.reading import expected_of, names_for
from curation.services.method import Method, Piece
from curation.services.rounds import Pair
from curation.services.running import Report
from curation.services.sharding import ShardReport
from curation.services.suggestions import Suggestion
from workers.criticising import Critic, Demonstration, request, ways
from workers.critics.guided import MOST_SHOWN, round_of
from workers.critics.voting import Round, Side, Voted, in_words, of_models, vote

NAME = "guided"
MOST_GOLD = 5000
"""Gold pairs that examples are drawn from, the latest."""
PLACES = ("model", "second", "third")
BETTER = {"first": 0, "second": 1}


class GuidedParams(rounds.RoundParams):
    model: int = Field(
        title="Critic", description="which model judges", json_schema_extra={"choose": "model", "kinds": ["critic"]}
    )
    second: int | None = Field(
        default=None,
        title="Second critic",
        description="more than half of all decide",
        json_schema_extra={"choose": "model", "kinds": ["critic"]},
    )
    third: int | None = Field(
        default=None, title="Third critic", json_schema_extra={"choose": "model", "kinds": ["critic"]}
    )
    embedder: int | None = Field(
        default=None,
        title="Embedder",
        description="finds the gold pairs that are most alike; by default the newest that is ready",
        json_schema_extra={"choose": "model", "kinds": ["embedder"]},
    )
    examples: int = Field(
        default=MOST_SHOWN, ge=0, le=MOST_SHOWN, title="Examples", description="gold pairs shown before each pair"
    )
    samples: int = Field(
        default=4,
        ge=2,
        le=24,
        multiple_of=2,
        title="Samples of each critic",
        description="half of them in each order; the majority is its vote",
    )
    guidelines: bool = Field(
        default=True, title="With the guidelines", description="whether the critics read what annotators read"
    )

    @property
    def critics(self) -> list[int]:
        """The critics asked, each once."""
        named = [getattr(self, place) for place in PLACES]
        return list(dict.fromkeys(one for one in named if one is not None))


@dataclass(frozen=True, slots=True)
class Examples:
    """Gold pairs with the vectors of their prompts, and the digest of each prompt."""

    shown: list[Demonstration]
    vectors: Any
    prompts: list[str]


def settle(project: Project | None, params: GuidedParams) -> GuidedParams:
    """The critics are there and ready, and the embedder is named. Raises Invalid."""
    assert project is not None
    for place in PLACES:
        if (named := getattr(params, place)) is not None:
            usable(project, named, ModelVersion.Kind.CRITIC, f"params.{place}")
    if params.examples and params.embedder is None:
        ready = models_for(project).filter(kind=ModelVersion.Kind.EMBEDDER, state=ModelVersion.State.READY)
        newest = ready.order_by("-pk").first()
        if newest is None:
            raise Invalid("no embedder is ready; without examples none is needed", field="params.embedder")
        params = params.model_copy(update={"embedder": newest.pk})
    elif params.embedder is not None:
        usable(project, params.embedder, ModelVersion.Kind.EMBEDDER, "params.embedder")
    return params


def models_for(project: Project) -> QuerySet[ModelVersion]:
    """The models that a project may use."""
    return ModelVersion.objects.filter(Q(project=None) | Q(project=project), retired_at=None)


def usable(project: Project, named: int, kind: str, field: str) -> None:
    found = models_for(project).filter(pk=named, kind=kind).first()
    if found is None:
        raise Invalid("no such model", field=field)
    if found.state != ModelVersion.State.READY:
        raise Invalid(f"{found} is not ready: {found.problem or 'it was not checked yet'}", field=field)


def plan(run: Run, params: GuidedParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Tasks in the order of the queue, and up to which gold pair examples are taken."""
    rounds.axis_of(run.home, params.axis)
    upto = after["gold"] if after else Gold.objects.filter(project=run.home).aggregate(n=Max("pk"))["n"] or 0
    for piece in critiquing.queued(run.home, params, after):
        yield Piece({**piece.spec, "gold": upto}, piece.size)


def work(run: Run, shard: Shard, params: GuidedParams, report: ShardReport) -> None:
    """Ask every critic about a shard's pairs, then write their votes and what these come to."""
    project = run.home
    axis = rounds.axis_of(project, params.axis)
    every = rounds.pairs_of(project, shard.spec["tasks"])
    pairs = [one for one in every if one.texts[0] != one.texts[1]]
    shown = examples_for(project, axis, pairs, params, shard.spec["gold"])
    counts = Counter[str](identical=len(every) - len(pairs), examples=sum(map(len, shown)))
    voted: dict[str, list[tuple[Voted, list[Round], str]]] = {}
    models = {one.pk: one for one in ModelVersion.objects.filter(pk__in=params.critics)}
    for pk in params.critics:
        voted[str(models[pk])] = asked(run, models[pk], axis, pairs, shown, params, report, counts)
    by_model = {name: rounds.counted([(one, each) for one, each, _ in votes]) for name, votes in voted.items()}
    together = [of_models([votes[n][0].side for votes in voted.values()]) for n in range(len(pairs))]
    counts.update(tasks=len(pairs), preferred=sum(bool(one.side) for one in together))
    counts["unsure"] = len(pairs) - counts["preferred"]
    report.progress(shard.size)
    with report.committing():
        for pk in params.critics:
            model = models[pk]
            said = (Annotator.Kind.MODEL, model.name, f"v{model.number} {NAME}")
            given = list(of_one(run, axis, pairs, voted[str(model)]))
            counts.update(landed(run, said, given, report))
        if len(params.critics) > 1:
            said = (Annotator.Kind.PROGRAM, NAME, f"of {len(params.critics)}")
            given = list(of_all(run, axis, pairs, voted, together))
            counts.update(landed(run, said, given, report))
        Shard.objects.filter(pk=shard.pk).update(result={**counts, "models": by_model})


def landed(
    run: Run, said: tuple[str, str, str], given: list[tuple[int, Suggestion]], report: ShardReport
) -> dict[str, int]:
    kind, name, version = said
    found = suggestions.suggest(project=run.home, kind=kind, name=name, version=version, given=given)
    return rounds.log_rejected(report, found)


# --- Examples ----------------------------------------------------------------------------------------


def examples_for(
    project: Project, axis: str, pairs: Sequence[Pair], params: GuidedParams, upto: int
) -> list[list[Demonstration]]:
    """The gold pairs to show before each pair, the nearest first."""
    if not params.examples or params.embedder is None or not pairs:
        return [[] for _ in pairs]
    import numpy as np

    from workers.acquiring import demonstrations

    model = ModelVersion.objects.get(pk=params.embedder)
    gold = gold_examples(project, axis, model, upto)
    if not gold.shown:
        return [[] for _ in pairs]
    vectors = embedding.of_prompts(model, {one.item for one in pairs})
    found = []
    for one in pairs:
        target = np.array(vectors.get(one.item) or [0.0] * gold.vectors.shape[1], dtype=np.float32)
        # a judge gets all its examples: how sure a reward model is says nothing here
        places = demonstrations(target, gold.vectors, 0.0, one.prompt_hash, gold.prompts, params.examples)
        found.append([gold.shown[place] for place in places])
    return found


def gold_examples(project: Project, axis: str, model: ModelVersion, upto: int) -> Examples:
    """Gold pairs on which one response is right on the axis, in the order of a coin, with their vectors."""
    import numpy as np

    standing = Gold.objects.filter(project=project, pk__lte=upto, retired_at=None, suspect_at=None)
    golds = list(standing.exclude(task__pair=None).order_by("-pk")[:MOST_GOLD])
    names = names_for(project, {one.protocol_id for one in golds})
    right: dict[int, str] = {}
    for one in golds:
        sides = (expected_of(one, names).get("preferences") or {}).get(axis) or []
        if len(sides) == 1 and sides[0] in BETTER:
            right[one.task_id] = sides[0]
    known = rounds.pairs_of(project, list(right))
    vectors = embedding.of_prompts(model, {one.item for one in known})
    known = [one for one in known if one.item in vectors]
    rows = np.array([vectors[one.item] for one in known], dtype=np.float32)
    return Examples([shown(one, right[one.task]) for one in known], rows, [one.prompt_hash for one in known])


def shown(pair: Pair, side: str) -> Demonstration:
    """A gold pair as an example; which response is named first is drawn, so that labels say nothing of places."""
    turned = critiquing.drawn(*pair.responses)
    texts = ["\n\n".join(texts) for texts in (pair.texts[::-1] if turned else pair.texts)]
    return Demonstration(pair.prompt, texts, 1 + (BETTER[side] ^ turned), pair.attributes)


# --- Votes -------------------------------------------------------------------------------------------


def asked(
    run: Run,
    model: ModelVersion,
    axis: str,
    pairs: Sequence[Pair],
    shown: Sequence[list[Demonstration]],
    params: GuidedParams,
    report: ShardReport,
    counts: Counter[str],
) -> list[tuple[Voted, list[Round], str]]:
    """One critic's vote on each pair, its samples, and what it said sets the two apart."""
    critic, way = cast(Critic, candidates.opened(model)), ways.get(NAME)
    rounds.may_ask(critic, way, model)
    report.device = critic.device
    protocol = run.home.protocol
    assert protocol is not None
    wanted = rounds.wanted_of(run.home, axis, guidelines=protocol.guidelines if params.guidelines else "")
    how = {"temperature": params.temperature, "max_tokens": params.max_tokens or critic.max_tokens}
    subjects = [
        subject
        for pair, examples in zip(pairs, shown, strict=True)
        for subject in pair.subjects(params.samples, shown=examples)
    ]
    questions = [request(way, wanted, one, seed=n % params.samples, **how) for n, one in enumerate(subjects)]
    done = completions.completed(model, critic, questions, rounds.progress_of(report), rounds.COOLER)
    rounds.log_unread(report, done)
    counts.update(critiquing.counted(done))
    each = [
        (Round("b" if subject.turned else "a", ""), "")
        if answer.parsed is None
        else (round_of(subject, answer.parsed), str(answer.parsed["differences"]))
        for subject, answer in zip(subjects, done, strict=True)
    ]
    some = [each[start : start + params.samples] for start in range(0, len(each), params.samples)]
    return [voted_on(one, params.least_strength) for one in some]


def voted_on(each: Sequence[tuple[Round, str]], least: float) -> tuple[Voted, list[Round], str]:
    """A vote, with the words of the first sample that decided so."""
    samples = [one for one, _ in each]
    result = vote(samples, least)
    words = next((told for one, told in each if one.verdict and result.side in ("", one.verdict)), "")
    return result, samples, words


def of_one(
    run: Run, axis: str, pairs: Sequence[Pair], votes: Sequence[tuple[Voted, list[Round], str]]
) -> Iterator[tuple[int, Suggestion]]:
    """A critic's votes as suggestions; nothing where none of its answers could be read."""
    protocol = run.home.protocol
    assert protocol is not None
    for pair, (result, samples, words) in zip(pairs, votes, strict=True):
        if result.a or result.b:
            told = in_words(result, samples, more=words)
            yield pair.task, rounds.suggestion(pair, axis, result, protocol, told)


def of_all(
    run: Run,
    axis: str,
    pairs: Sequence[Pair],
    voted: dict[str, list[tuple[Voted, list[Round], str]]],
    together: Sequence[Voted],
) -> Iterator[tuple[int, Suggestion]]:
    """What the critics come to together, with who voted how."""
    protocol = run.home.protocol
    assert protocol is not None
    names: dict[Side, str] = {"a": "A", "b": "B", "": "unsure"}
    for n, (pair, result) in enumerate(zip(pairs, together, strict=True)):
        sides = [votes[n][0] for votes in voted.values()]
        if not any(one.a or one.b for one in sides):
            continue
        told = [f"{name}: {names[one.side]}, {one.a} to {one.b}" for name, one in zip(voted, sides, strict=True)]
        models = [Round("a", one.side) for one in sides]
        words = in_words(result, models, more="\n".join(told), orders=False)
        yield pair.task, rounds.suggestion(pair, axis, result, protocol, words)


# --- The end -----------------------------------------------------------------------------------------


def close(run: Run, params: GuidedParams, report: Report) -> dict[str, Any]:
    """Sums over the shards; of each critic what its votes came to, and whether places mean something to it."""
    sums: dict[str, Counter[str]] = {}
    results = Shard.objects.filter(run=run, state=Shard.State.DONE).values_list("result", flat=True)
    for result in results.iterator(chunk_size=500):
        for name, counts in (result.get("models") or {}).items():
            sums.setdefault(name, Counter()).update(counts)
    models = {name: {**counts, **rounds.position(counts)} for name, counts in sums.items()}
    return laying.summed(run) | {"axis": rounds.axis_of(run.home, params.axis), "models": models}


METHOD = Method(
    name=NAME,
    title="Judge after gold pairs",
    about="One critic or several judge each pair after the gold pairs that are most like it; samples in both orders "
    "vote, then the critics do, and a split vote is left to people.",
    params=GuidedParams,
    unit="tasks",
    plan=plan,
    work=work,
    close=close,
    split=critiquing.halves,
    settle=settle,
    shard_seconds=3600,
)
