"""What a gate would do, as proposals: on pairs by their preferred response, on responses, on prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from curation.models import Pair, Proposal, Response, Run, Task, TaskKind
from curation.services import deciding
from curation.services.curating.performing import row_of
from curation.services.deciding import Decision, Filters
from curation.services.guarding.asking import Gate, GateParams
from workers import curating
from workers.curating import Aid, Row, Side, Subject
from workers.curators import safety_gate
from workers.curators.safety_gate import GateSettings
from workers.guarding import Thresholds

if TYPE_CHECKING:
    from curation.services.guarding.moderating import Looked


def write(run: Run, params: GateParams, gate: Gate, looked: Looked, new: Mapping[int, tuple[int, float]]) -> None:
    """Proposals as rows, in the transaction that ends the shard; `new` are the costs of responses just written."""
    told = [*of_prompts(params, gate, looked), *of_responses(run, params, gate, looked, new)]
    made = [row_of(run, one, accept=params.accept) for one in told]
    Proposal.objects.bulk_create(made, ignore_conflicts=True, batch_size=1000)


def settings_of(params: GateParams, thresholds: Thresholds) -> GateSettings:
    """The settings of the curator that say the same."""
    return GateSettings(
        model=params.model,
        head=params.head,
        minor=thresholds.minor,
        moderate=thresholds.moderate,
        severe=thresholds.severe,
        action=params.action,
        at=params.at,
        of=params.of,
        near=params.near,
    )


def of_prompts(params: GateParams, gate: Gate, looked: Looked) -> Iterator[curating.Proposal]:
    """Of prompts that get no answer, one on their item."""
    if gate.prompts is None:
        return
    settings = settings_of(params, gate.prompts).model_copy(update={"at": params.refuse_at})
    for item in looked.items:
        cost = looked.prompt_costs.get(item.pk)
        if cost is not None and (found := safety_gate.proposal(Subject(item.pk), cost, settings, "cost of the prompt")):
            yield found


def of_responses(
    run: Run, params: GateParams, gate: Gate, looked: Looked, new: Mapping[int, tuple[int, float]]
) -> Iterator[curating.Proposal]:
    """Of pairs, or of responses that are judged alone."""
    rows = alone(looked, new) if run.home.kind == TaskKind.RESPONSE else pairs(run, params, looked)
    yield from safety_gate.propose(rows, settings_of(params, gate.responses), Aid(run.seed))


def side(pk: int, costs: Mapping[int, float]) -> Side:
    return Side(pk, "", score=costs.get(pk))


def alone(looked: Looked, new: Mapping[int, tuple[int, float]]) -> Iterator[Row]:
    names = {item.pk: item.external_id for item in looked.items}
    for item, responses in looked.responses.items():
        for one in responses:
            yield Row(item, names[item], (), "", side(one.pk, looked.costs))
    known = {one.pk for each in looked.responses.values() for one in each}
    for pk, (item, cost) in new.items():
        if pk not in known:
            yield Row(item, names[item], (), "", side(pk, {pk: cost}))


def pairs(run: Run, params: GateParams, looked: Looked) -> Iterator[Row]:
    """Two responses to one prompt, with what people decided on them."""
    project = run.home
    names = {item.pk: item.external_id for item in looked.items}
    ranked = project.kind == TaskKind.RANKING
    on = {"item__in": names} if ranked else {"pair__item__in": names}
    tasks = dict(Task.objects.filter(project=project, kind=project.kind, **on).values_list("pk", "item_id"))
    axis = params.axis or (project.protocol.axis_names[0] if project.protocol and not ranked else "overall")
    decided = list(deciding.decisions(project, Filters(axis=axis), tasks=sorted(tasks)))
    if ranked:
        for one in decided:
            item = tasks[one.task_id]
            assert item is not None and one.responses is not None
            yield row(item, names[item], None, one.responses, one, looked.costs)
        return
    by_pair = {one.pair_id: one for one in decided}
    # what a gate set against each other is to be decided by people; until then there is nothing to look at again
    own = set(Response.objects.filter(item__in=names, metadata__has_key="gate").values_list("pk", flat=True))
    live = Pair.objects.filter(item__in=names, deleted_at=None).order_by("pk")
    for pk, item, first, second in live.values_list("pk", "item_id", "first_id", "second_id"):
        if pk in by_pair or not {first, second} & own:
            yield row(item, names[item], pk, (first, second), by_pair.get(pk), looked.costs)


def row(
    item: int, name: str, pair: int | None, both: tuple[int, int], decision: Decision | None, costs: Mapping[int, float]
) -> Row:
    first, second = (side(pk, costs) for pk in both)
    outcome = decision.outcome if decision else ""
    return Row(item, name, (), "", first, second, pair=pair, outcome=outcome)
