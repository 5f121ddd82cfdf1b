"""Skywork-Reward-V2: few labels of people, spent where the reward model errs, clean many labels that nobody verified.

Liu et al. 2025 (arXiv 2507.01352). Which stage follows which:

    0   embed, seed, [describe], verify, [judge]
    1…  labels, set, train, measure, (fold-N-labels, fold-N-set, fold-N-train of each fold,) then acquire, [describe],
        verify, [judge] and the next round, or stage 2
    2   gold-labels, gold-set, gold-train, gold-score, best-score, [doubt], sift, final-labels, final-set

What stands in brackets needs a judge. Folds are there where the rounds learn from verified pairs too: each leaves a
part of their prompts out, and its model says how sure a model is of these. Simplified: prompts alone are embedded, not
pairs with their attributes, and only the pairs that a round takes are described; stage 2 is gone through once.
"""

from __future__ import annotations

from typing import Any

from curation.errors import Invalid
from curation.models import DatasetVersion, ModelVersion, Plan, PlanPair, PlanStep, Project, Proposal, Run, TaskKind
from curation.services import freezing, starting
from curation.services.planning import LABEL, STEP, performing
from curation.services.planning.recipe import Counts, Recipe, Stage
from curation.services.plans import attributing, judging, labelling, measuring, sifting, verifying
from curation.services.plans.settings import MOST_FOLDS, SkyworkParams, settings_of
from workers.consistency import Advice, advice
from workers.training import trainers


def following(plan: Plan, step: PlanStep) -> tuple[int, str] | None:
    """Round and stage of the next step."""
    judged = bool(settings_of(plan).judges)
    here, after = step.round, step.round + 1
    if step.stage == "measure":
        if stops(plan, here):
            return after, "gold-labels"
        return here, "fold-1-labels" if settings_of(plan).left_out else "acquire"
    if fold := labelling.fold_in(step.stage):
        return here, after_fold(plan, fold, step.stage.rpartition("-")[2])
    if step.stage == "verify" and not judged:
        return after, "labels"
    if step.stage == "best-score" and not judged:
        return here, "sift"
    return {
        "embed": (here, "seed"),
        "seed": (here, "describe" if judged else "verify"),
        "describe": (here, "verify"),
        "verify": (here, "judge"),
        "judge": (after, "labels"),
        "labels": (here, "set"),
        "set": (here, "train"),
        "train": (here, "measure"),
        "acquire": (here, "describe" if judged else "verify"),
        "gold-labels": (here, "gold-set"),
        "gold-set": (here, "gold-train"),
        "gold-train": (here, "gold-score"),
        "gold-score": (here, "best-score"),
        "best-score": (here, "doubt"),
        "doubt": (here, "sift"),
        "sift": (here, "final-labels"),
        "final-labels": (here, "final-set"),
        "final-set": None,
    }[step.stage]


def after_fold(plan: Plan, fold: int, part: str) -> str:
    if part != "train":
        return f"fold-{fold}-{'set' if part == 'labels' else 'train'}"
    return f"fold-{fold + 1}-labels" if fold < settings_of(plan).left_out else "acquire"


MORE_ROUNDS = 2
"""Rounds behind the last one in which people are asked more, where too few pairs are verified for the gold model."""


def stops(plan: Plan, round_: int) -> bool:
    """Whether the rounds are over: all of them done, the budget spent, or nothing gained any more; never before enough
    pairs are verified for a gold model, as long as more can be asked."""
    if lacks_gold(plan) and verifying.budget_left(plan) > 0:
        return round_ >= settings_of(plan).rounds + MORE_ROUNDS
    params = settings_of(plan)
    return round_ >= params.rounds or verifying.budget_left(plan) <= 0 or (params.heed and advised(plan).stop)


def lacks_gold(plan: Plan) -> bool:
    """Whether people verified fewer pairs than the trainer takes: some stayed open, or nobody could decide."""
    gold = PlanPair.objects.filter(plan=plan, role=PlanPair.Role.GOLD).count()
    return gold < trainers.get(settings_of(plan).trainer).least


def advised(plan: Plan) -> Advice:
    """Whether another round is worth it, from the accuracies of the rounds so far."""
    steps = PlanStep.objects.filter(plan=plan, stage="measure").exclude(ended_at=None).order_by("round")
    accuracies = [step.counts["accuracy"] for step in steps if step.counts.get("accuracy") is not None]
    return advice(accuracies, verifying.spent(plan), settings_of(plan).budget)


# --- What stages start and tell -----------------------------------------------------------------------


def embed(plan: Plan, step: PlanStep) -> Run:
    return starting.start(
        project=plan.project,
        method="embed",
        params={"model": plan.params["embedder"], "what": "prompts"},
        user=plan.created_by,
        seed=plan.seed,
    )


def own(plan: Plan, step: PlanStep) -> Run:
    """A run that does what this plan's stage says."""
    return performing.start(plan, step, LABEL if step.stage.endswith("labels") else STEP)


def version_of(plan: Plan, step: PlanStep) -> Run | None:
    """A dataset version of the labels that were just written down."""
    written = PlanStep.objects.get(plan=plan, round=step.round, stage=f"{step.stage.removesuffix('set')}labels")
    filters: dict[str, Any] = {"axis": plan.params["axis"], "decided_by": str(written.run_id)}
    name, fold = f"plan-{plan.pk}-{'gold' if step.stage == 'gold-set' else 'train'}", labelling.fold_in(step.stage)
    if fold:
        name = f"plan-{plan.pk}-fold-{fold}"
    if (step.stage == "set" or fold) and (most := settings_of(plan).train_most):
        filters["caps"] = {"rows": most}
    if step.stage == "final-set":
        name = settings_of(plan).dataset
        sifted = PlanStep.objects.get(plan=plan, round=step.round, stage="sift").run_id
        if Proposal.objects.filter(run=sifted).exists():
            filters["curated"] = [str(sifted)]
    made = freezing.request_version(
        project=plan.project, dataset_name=name, filters=filters, seed=plan.seed, user=plan.created_by
    )
    return made.run


def version_made(plan: Plan, step: PlanStep) -> Counts:
    version = DatasetVersion.objects.select_related("dataset").get(run=step.run)
    if step.stage == "final-set":
        plan.version = version
    dropped = sum(version.counts.get("dropped", {}).values())
    return {"version": str(version), "rows": version.counts["total"], "dropped": dropped}


def train(plan: Plan, step: PlanStep) -> Run:
    """Train on the version of this round, of it without a fold, or of the verified pairs alone."""
    made = PlanStep.objects.get(plan=plan, round=step.round, stage=f"{step.stage.removesuffix('train')}set")
    name = "gold" if step.stage == "gold-train" else f"round-{step.round}"
    if fold := labelling.fold_in(step.stage):
        name += f"-without-{fold}"
    version = DatasetVersion.objects.select_related("dataset").get(run=made.run)
    params = settings_of(plan)
    named = {
        "dataset": f"{version.dataset.name}@{version.number}",
        "name": f"plan-{plan.pk}-{name}",
    }
    return starting.start(
        project=plan.project,
        method=f"train-{params.trainer}",
        params={**params.training, **named},
        user=plan.created_by,
        seed=plan.seed,
    )


def trained(plan: Plan, step: PlanStep) -> Counts:
    assert step.run is not None
    return {"model": step.run.result["name"]}


def score(plan: Plan, step: PlanStep) -> Run:
    """The responses of the pool by one of the two models that sift."""
    gold, best = sifting.models_of(plan, step.round)
    model = gold if step.stage == "gold-score" else best
    return starting.start(
        project=plan.project,
        method="score",
        params={"model": model.pk, "plan": plan.pk},
        user=plan.created_by,
        seed=plan.seed,
    )


def measured(plan: Plan, step: PlanStep) -> Counts:
    """What was measured, and what follows from it in words."""
    assert step.run is not None
    step.counts, step.ended_at = dict(step.run.result), step.run.ended_at
    step.save(update_fields=["counts", "ended_at"])
    plan.advice = advised(plan).reason[:300]
    return step.counts


def sifted(plan: Plan, step: PlanStep) -> Counts:
    assert step.run is not None
    names = ("keep", "flip", "drop", "ask", "audit")
    return {name: step.run.result[name] for name in names}


# --- The recipe ---------------------------------------------------------------------------------------


def settle(project: Project, params: SkyworkParams) -> SkyworkParams:
    """With its axis and embedder. Raises Invalid for a project without pairs, and for models that do not fit."""
    if project.kind != TaskKind.PREFERENCE or project.protocol is None:
        raise Invalid("a plan curates pairs: this project compares none", field="project")
    names = project.protocol.axis_names
    if params.axis and params.axis not in names:
        raise Invalid(f"must be one of: {', '.join(names)}", field="params.axis")
    embedder = fitting(project, params.embedder, "embedder", "embedder") or builtin()
    for field in ("judge", "second_judge", "third_judge"):
        fitting(project, getattr(params, field), "critic", field)
    trainer = starting.startable(f"train-{params.trainer}")
    starting.validated(trainer, {**params.training, "dataset": "", "name": ""})
    if params.source and not project.sources.filter(name=params.source).exists():
        raise Invalid("no items of this source here", field="params.source")
    if params.budget and params.budget <= params.validation:
        raise Invalid("must be more than what is held out", field="params.budget")
    learnt = params.seed_pairs + (params.rounds - 1) * params.per_round
    learnt = min(learnt, params.budget - params.validation) if params.budget else learnt
    least = trainers.get(params.trainer).least
    if learnt < least:  # else people would work for a gold model that cannot be
        words = f"people would verify {learnt} pairs to learn from in all, and the gold model takes {least}"
        raise Invalid(words, field="params.seed_pairs")
    return params.model_copy(update={"axis": params.axis or names[0], "embedder": embedder.pk})


def fitting(project: Project, pk: int | None, kind: str, field: str) -> ModelVersion | None:
    """A ready model of a kind that the project may use. Raises Invalid."""
    if pk is None:
        return None
    found = ModelVersion.objects.filter(pk=pk, kind=kind, retired_at=None, state=ModelVersion.State.READY).first()
    if found is None or (found.project_id and found.project_id != project.pk):
        raise Invalid(f"is no ready {kind} that this project can use", field=f"params.{field}")
    return found


def builtin() -> ModelVersion:
    """The embedder that every installation has. Raises Invalid where it cannot be used."""
    from curation.services import default_model

    found = default_model.ensure_builtin()
    if found.state != ModelVersion.State.READY:
        raise Invalid(f"say which: the built-in one is not usable here ({found.problem})", field="params.embedder")
    return found


def without(fold: int) -> dict[str, Stage]:
    """The stages that make a model which knows nothing of a part of the verified prompts."""
    return {
        f"fold-{fold}-labels": Stage(f"Labels without part {fold}", own, labelling.write),
        f"fold-{fold}-set": Stage(f"Training set without part {fold}", version_of, ended=version_made),
        f"fold-{fold}-train": Stage(f"Train without part {fold}", train, ended=trained),
    }


RECIPE = Recipe(
    name="skywork-reward-v2",
    title="Skywork-Reward-V2",
    about="Cleans many unverified preferences with few labels of people: these are spent where the reward model errs, "
    "and at the end two reward models that agree keep, flip or drop the rest.",
    paper="https://arxiv.org/abs/2507.01352",
    params=SkyworkParams,
    first="embed",
    stages={
        "embed": Stage("Embed prompts", embed),
        "seed": Stage("Draw the seed", own, verifying.seed),
        "describe": Stage("A critic describes pairs", own, attributing.describe),
        "verify": Stage("People verify", over=verifying.over, ended=verifying.collect),
        "judge": Stage("Judges label", own, judging.judge),
        "labels": Stage("Write down labels", own, labelling.write),
        "set": Stage("Training set", version_of, ended=version_made),
        "train": Stage("Train the reward model", train, ended=trained),
        "measure": Stage("Measure on held-out gold", own, measuring.measure, ended=measured),
        **{stage: one for fold in range(1, MOST_FOLDS + 1) for stage, one in without(fold).items()},
        "acquire": Stage("Errors pull pairs", own, verifying.acquire),
        "gold-labels": Stage("Write down verified labels", own, labelling.write),
        "gold-set": Stage("Gold set", version_of, ended=version_made),
        "gold-train": Stage("Train the gold model", train, ended=trained),
        "gold-score": Stage("Gold model scores", score),
        "best-score": Stage("Best model scores", score),
        "doubt": Stage("Judges hear what is in doubt", own, sifting.doubt),
        "sift": Stage("Keep, flip or drop", own, sifting.sift, ended=sifted),
        "final-labels": Stage("Write down all labels", own, labelling.write),
        "final-set": Stage("Dataset version", version_of, ended=version_made),
    },
    following=following,
    settle=settle,
)
