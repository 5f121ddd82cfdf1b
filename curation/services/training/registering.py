"""What a training leaves: a model version that names its run, its data and how it did."""

from __future__ import annotations

from typing import Any

from django.db.models import Max

from curation.models import ModelVersion, Run
from workers.training import Trainer
from workers.weights import Found

CARD = """# {name}

{about}

| | |
|---|---|
| Objective | {title} (`{objective}`) |
| Trained on | dataset `{dataset}` of project `{project}` |
| Started from | {base} |
| Held out | {held} |
| Run | `{run}`, seed {seed}, Touchstone {version} |

Parameters: {params}
"""


def register(run: Run, trainer: Trainer, metrics: dict[str, Any], found: Found) -> ModelVersion:
    """The model version of a run; the same again if the run is done twice."""
    own = trainer.settings.model_validate(
        {key: run.params[key] for key in trainer.settings.model_fields if key in run.params}
    )
    config = {**config_of(run, trainer, own), **metrics.get("config", {})}
    made = registered(run, trainer, metrics, found, run.params["name"], trainer.makes, config)
    if trainer.beta is not None and (base := base_of(run)) is not None:
        beside = {
            **{name: config[name] for name in READ if name in config},
            "reference_model": reference_of(base),
            "beta": trainer.beta(own),
        }
        registered(run, trainer, metrics, found, f"{run.params['name']}{IMPLICIT}", "implicit", beside)
    return made


IMPLICIT = "-implicit"
"""What the policy is called where it is read beside its base, as an implicit reward."""
READ = ("template", "max_length")


def registered(
    run: Run, trainer: Trainer, metrics: dict[str, Any], found: Found, name: str, kind: str, config: dict[str, Any]
) -> ModelVersion:
    made = ModelVersion.objects.filter(made_by=run, name=name).first()
    if made is None:
        made = ModelVersion(made_by=run, name=name)
        last = ModelVersion.objects.filter(name=name).aggregate(last=Max("number"))["last"] or 0
        made.number = last + 1
    made.kind = kind
    made.reference = f"run:{run.pk}"
    made.config = config
    made.project = run.project
    made.fingerprint, made.licence = found.fingerprint, found.licence
    made.facts = {**found.facts, "trained": {name: metrics[name] for name in TOLD if name in metrics}}
    made.state, made.problem = ModelVersion.State.READY, ""
    made.created_by = run.created_by
    made.card = card(run, trainer, metrics, made)
    made.save()
    return made


TOLD = (
    "held_out", "cross_validated", "longer_is_better", "signs", "held_out_loss", "tokens_guessed", "answers_read",
    "auroc", "steps", "pairs", "rows", "tokens", "seconds",
)  # fmt: skip


def config_of(run: Run, trainer: Trainer, own: Any) -> dict[str, Any]:
    """How the model is to be read: as it was read when it was trained."""
    base = base_of(run)
    told = (base.config if base else {}) | {"max_length": own.max_length}
    kept = {name: told[name] for name in READ if name in told}
    return {**kept, **trainer.config(own)}


def base_of(run: Run) -> ModelVersion | None:
    return ModelVersion.objects.filter(pk=run.params.get("base") or 0).first()


def reference_of(model: ModelVersion) -> str:
    """Its weights as a reference, pinned where they lie on the Hub."""
    pinned = model.revision and model.reference.startswith("hf:") and "@" not in model.reference
    return f"{model.reference}@{model.revision}" if pinned else model.reference


def began(base: ModelVersion | None, own: dict[str, Any], trainer: Trainer) -> str:
    """What the model was before it was trained, in words."""
    if base is None:
        return trainer.builds or "nothing: it builds its own model"
    if own.get("layers"):
        return f"a new model of {own['layers']} layers ({own['norms']}), with the tokenizer of {base}"
    return str(base)


def card(run: Run, trainer: Trainer, metrics: dict[str, Any], made: ModelVersion) -> str:
    base = base_of(run)
    held = metrics.get("held_out") or {}
    words = (
        f"{held['accuracy']:.3f} right of {held['n']} (95 % interval {held['low']:.3f} to {held['high']:.3f})"
        if held.get("n")
        else "nothing: the version has no rows outside of train"
    )
    own = {name: value for name, value in run.params.items() if name in trainer.settings.model_fields}
    return CARD.format(
        name=made.name,
        about=trainer.about,
        title=trainer.title,
        objective=trainer.name,
        dataset=run.params["dataset"],
        project=run.home.slug,
        base=began(base, own, trainer),
        held=words,
        run=run.pk,
        seed=run.seed,
        version=run.code_version,
        params=", ".join(f"{name} {value}" for name, value in own.items() if value not in ("", None, {})),
    )
