"""The validity probe of token rewards: errors are planted at known places, and the rewards must point at them.

A policy that tells chosen from rejected responses almost always may still blame the wrong words: plain DPO puts the
blame on what comes after the error. So an implicit model's heat map is shown only with a passing record of this probe
(docs/token-rewards.md). Nothing of what is planted is kept but the measures.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, Literal

from django.db.models import QuerySet
from django.utils import timezone
from pydantic import Field

from curation.errors import Invalid
from curation.models import Response, Run, Shard
from curation.services.candidates import opened
from curation.services.method import Method, Params, Piece
from curation.services.running import Report
from curation.services.sharding import ShardReport
from workers.intervals import wilson
from workers.judging import Candidate, Given, Judged
from workers.planting import Found, Lexicon, Planted, found, lexicon, plant

KINDS = ("implicit", "token")
TOP1 = 0.8
AUROC = 0.9
FEWEST = 300
"""What a passing record needs: the error has the lowest reward in so many texts, and so many words lie above it."""
AT_ONCE = 50
MEASURES = ("top1", "auroc", "chance", "bad")
SIDES = ("before", "after")


class ProbeParams(Params):
    model: int = Field(
        title="Model", description="whose token rewards", json_schema_extra={"choose": "model", "kinds": list(KINDS)}
    )
    responses: int = Field(
        default=500,
        ge=10,
        le=20_000,
        title="Responses",
        description=f"into how many an error is planted; fewer than {FEWEST} never pass. Take a project whose "
        "responses the policy was not trained on",
    )
    errors: Literal["planted", "marked"] = Field(
        default="planted",
        title="Errors",
        description="planted: one word is changed for another of its shape; marked: the responses hold an error "
        "already, at metadata.error = [start, end]",
    )
    seed: int = Field(default=0, title="Seed")


def plan(run: Run, params: ProbeParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Responses drawn by the seed, the same at every look; fifty a shard."""
    drawn = draw(candidates_of(run, params), params)
    begin = after["next"] if after else 0
    for start in range(begin, len(drawn), AT_ONCE):
        some = drawn[start : start + AT_ONCE]
        yield Piece({"responses": some, "next": start + AT_ONCE}, len(some))


def candidates_of(run: Run, params: ProbeParams) -> QuerySet[Response]:
    live = Response.objects.filter(item__project=run.home, item__deleted_at=None, deleted_at=None)
    return live.exclude(metadata__error=None) if params.errors == "marked" else live


def draw(responses: QuerySet[Response], params: ProbeParams) -> list[int]:
    """So many of these responses, by chance. Only numbers are held, those of a reservoir."""
    chance = Random(f"probe:{params.seed}")
    held: list[int] = []
    for number, pk in enumerate(responses.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=5000)):
        if number < params.responses:
            held.append(pk)
        elif (place := chance.randrange(number + 1)) < params.responses:
            held[place] = pk
    return sorted(held)


def halves(spec: dict[str, Any]) -> list[Piece]:
    responses = spec["responses"]
    middle = len(responses) // 2
    parts = [responses[:middle], responses[middle:]] if middle else []
    return [Piece({**spec, "responses": part}, len(part)) for part in parts]


def work(run: Run, shard: Shard, params: ProbeParams, report: ShardReport) -> None:
    """Plant, judge, measure; only sums are kept."""
    assert run.model is not None
    rows = list(Response.objects.filter(pk__in=shard.spec["responses"]).select_related("item").order_by("pk"))
    words = lexicon(one.text for one in rows)
    errors = {one.pk: error for one in rows if (error := error_in(one, params, words))}
    judge = opened(run.model)
    report.device = judge.device
    sums: dict[str, float] = {}
    for judged in judge.judge(given(rows, errors)):
        report.progress(1, tokens=judged.tokens)
        measured = measure(judged, errors[judged.key])
        add(sums, measured, cut=judged.truncated)
    report.progress(shard.size - len(errors))
    with report.committing(unplanted=shard.size - len(errors), **sums):
        pass


def error_in(response: Response, params: ProbeParams, words: Lexicon) -> Planted | None:
    """The response with its error; None if it holds none, or is more than one message."""
    if response.messages:
        return None
    if params.errors == "marked":
        return marked(response)
    return plant(response.text, words, Random(f"{params.seed}:{response.pk}"))


def marked(response: Response) -> Planted | None:
    """The error that an import marked; None for a mark that is no place of the text."""
    match response.metadata.get("error"):
        case [int(start), int(end)] if 0 <= start < end <= len(response.text):
            return Planted(response.text, start, end, "")
    return None


def given(rows: Iterable[Response], errors: dict[int, Planted]) -> Iterator[Given]:
    for one in rows:
        if one.pk in errors:
            yield Given(one.item_id, one.item.prompt, [Candidate(one.pk, errors[one.pk].text)], one.item.context)


def measure(judged: Judged, planted: Planted) -> Found | None:
    """Nothing of a text that the model did not see to its end."""
    mapped = next((one for one in judged.maps if one.unit == "token"), None)
    if mapped is None or judged.truncated:
        return None
    return found(mapped, planted.text, planted.start, planted.end)


def add(sums: dict[str, float], measured: Found | None, *, cut: bool) -> None:
    def count(name: str, value: float) -> None:
        sums[name] = sums.get(name, 0) + value

    count("truncated", cut)
    if measured is None:
        return
    count("n", 1)
    for name in MEASURES:
        count(name, getattr(measured, name))
    for name in SIDES:
        if (value := getattr(measured, name)) is not None:
            count(name, value)
            count(f"n_{name}", 1)


def close(run: Run, params: ProbeParams, report: Report) -> dict[str, Any]:
    """The record, kept with the model. Raises Invalid when nothing could be measured."""
    assert run.model is not None
    sums: dict[str, float] = {}
    for result in Shard.objects.filter(run=run, state=Shard.State.DONE).values_list("result", flat=True):
        for name, value in result.items():
            sums[name] = sums.get(name, 0) + value
    record = recorded(sums) | {
        "errors": params.errors,
        "project": run.home.slug,
        "run": str(run.pk),
        "at": timezone.now().isoformat(timespec="seconds"),
    }
    run.model.probe = record
    run.model.save(update_fields=["probe"])
    return record


def recorded(sums: dict[str, float]) -> dict[str, Any]:
    """Means, and whether they pass: enough texts, the error mostly lowest, and lower than what is around it."""
    n = int(sums.get("n", 0))
    if not n:
        raise Invalid("no error could be planted: the responses are too short, or none is marked", field="responses")
    means = {name: sums[name] / n for name in MEASURES}
    before, after = (sums[name] / sums[f"n_{name}"] if sums.get(f"n_{name}") else None for name in SIDES)
    share = wilson(round(sums["top1"]), n)
    lowest = all(side is None or means["bad"] < side for side in (before, after))
    return {
        "top1": rounded(means["top1"]),
        "top1_low": rounded(share.low),
        "top1_high": rounded(share.high),
        "auroc": rounded(means["auroc"]),
        "chance": rounded(means["chance"]),
        "r_before": rounded(before),
        "r_bad": rounded(means["bad"]),
        "r_after": rounded(after),
        "n": n,
        "truncated": int(sums.get("truncated", 0)),
        "unplanted": int(sums.get("unplanted", 0)),
        "needs": {"top1": TOP1, "auroc": AUROC, "n": FEWEST},
        "passed": n >= FEWEST and means["top1"] >= TOP1 and means["auroc"] >= AUROC and lowest,
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


METHOD = Method(
    name="probe",
    title="Probe token rewards",
    about="Errors are planted into responses; the rewards of an implicit model must point at them before its heat map "
    "is shown.",
    params=ProbeParams,
    unit="responses",
    plan=plan,
    work=work,
    close=close,
    split=halves,
)
