"""What the page of a training shows: its curves, how it did on held-out rows by slice, and the hardest of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from curation.models import DatasetVersion, Item, ModelVersion, Run, TrainingPoint
from workers.held_out import hardest, kept, share

POINTS = 400
"""So many points of a curve are drawn; a longer one is thinned evenly."""
SHOWN = 20
SLICED = 5000
"""Of so many held-out rows the items are looked up, for slices by what an import said of them."""
DOMAINS = ("domain", "category", "task", "subset", "topic")
"""Keys of an item's metadata that may name its domain; the first that is there counts."""
GROUPS = (
    ("Loss", ("loss", "held_out_loss")),
    ("Accuracy", ("accuracy", "rewards/accuracies", "mean_token_accuracy", "held_out_accuracy")),
    ("Margin", ("margin", "rewards/margins")),
    ("Rewards", ("rewards/chosen", "rewards/rejected")),
    ("Log-probabilities", ("logps/chosen", "logps/rejected")),
    ("Learning rate", ("learning_rate",)),
)
"""Curves that stand together, in this order; others come after, each alone, numbered ones together."""
LAYER = "gradient_layer_"
DEPTH = "Gradient norm over depth, mean 1"
MOMENTS = (("at the beginning", 0.0), ("at 10 %", 0.1), ("at 50 %", 0.5))
"""When the gradients of layers are drawn over depth, as shares of all steps."""


@dataclass(frozen=True, slots=True)
class Curve:
    title: str
    lines: Mapping[str, Sequence[tuple[int, float]]]
    """By name: (step, value), or (layer, value)."""
    over: str = "step"
    """What it is drawn over: step or layer."""


@dataclass(frozen=True, slots=True)
class Told:
    curves: Sequence[Curve] = ()
    result: Mapping[str, Any] = field(default_factory=dict)
    slices: Sequence[tuple[str, Mapping[str, Any]]] = ()
    hardest: Sequence[Mapping[str, Any]] = ()
    version: DatasetVersion | None = None
    """That it read: held-out rows are named by their places there."""
    model: ModelVersion | None = None


def told_of(run: Run) -> Told:
    """Everything that the page of a training shows."""
    rows = kept(run.folder) if run.state == Run.State.SUCCEEDED else []
    named = [(title, run.result[key]) for key, title in SLICES if len(run.result.get(key) or ()) > 1]
    ranked = [row for row in rows if "chosen" in row and "rejected" in row]
    return Told(
        curves_of(run),
        run.result,
        [*named, *by_item(run, ranked)],
        with_items(run, hardest(ranked, SHOWN)),
        version_of(run),
        ModelVersion.objects.filter(pk=run.result.get("model") or 0).first(),
    )


def version_of(run: Run) -> DatasetVersion | None:
    """The version that a training read, if it is still there."""
    name, _, number = str(run.params.get("dataset", "")).rpartition("@")
    if not number.isdigit():
        return None
    known = DatasetVersion.objects.filter(dataset__project=run.project, dataset__name=name, number=number)
    return known.select_related("dataset").first()


SLICES = (
    ("by_length", "Length"),
    ("by_confidence", "Annotators"),
    ("by_strength", "Strength of the preference"),
    ("by_type", "Type"),
    ("by_axis", "Axis"),
    ("by_agreement", "Ensemble"),
    ("signs", "Sign of the cost"),
)


def curves_of(run: Run) -> list[Curve]:
    lines: dict[str, list[tuple[int, float]]] = {}
    for step, values in TrainingPoint.objects.filter(run=run).order_by("step").values_list("step", "values"):
        for name, value in values.items():
            lines.setdefault(name, []).append((step, value))
    layers = [lines.pop(name) for name in sorted(filter(of_layer, lines), key=numbered)]
    thin = {name: points[:: max(1, len(points) // POINTS)] for name, points in lines.items()}
    found = []
    for title, names in GROUPS:
        if here := {name: thin.pop(name) for name in names if name in thin}:
            found.append(Curve(title, here))
    together: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, points in thin.items():
        stem = name.rstrip("0123456789").rstrip("_")
        together.setdefault(stem, {})[name] = points
    found += [Curve(stem.replace("_", " ").capitalize(), lines) for stem, lines in together.items()]
    return found + ([Curve(DEPTH, over_depth(layers, run.total or run.done), "layer")] if layers else [])


def of_layer(name: str) -> bool:
    return name.startswith(LAYER)


def numbered(name: str) -> int:
    return int(name.removeprefix(LAYER))


def over_depth(layers: Sequence[Sequence[tuple[int, float]]], steps: int) -> dict[str, Sequence[tuple[int, float]]]:
    """The gradient of each layer, from 1, over the mean of all, at each moment that was reached: of the told step
    nearest to it.

    The picture of Mix-LN's paper (arXiv 2412.13795): whether deep layers learn as much as shallow ones. Over the mean,
    since how large gradients are as a whole differs a hundredfold between layouts.
    """
    told = [dict(points) for points in layers]
    known = sorted(set.intersection(*(set(one) for one in told)))
    found: dict[str, Sequence[tuple[int, float]]] = {}
    for name, part in MOMENTS:
        if known and (known[-1] >= part * steps or part == 0):
            step = min(known, key=lambda one: abs(one - part * steps))
            mean = fmean(one[step] for one in told) or 1.0
            found[name] = [(place, one[step] / mean) for place, one in enumerate(told, 1)]
    return found


def by_item(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Accuracy by the domain and by the source of the items, where these differ."""
    known = items_of(run, [row["item"] for row in rows[:SLICED]])
    found = []
    for title, name in (("Domain", domain), ("Source", source)):
        groups: dict[str, list[float]] = {}
        for row in rows[:SLICED]:
            if row["item"] in known and (key := name(known[row["item"]])):
                groups.setdefault(key, []).append(right(row))
        if len(groups) > 1:
            found.append((title, {key: share(sum(told), len(told)) for key, told in sorted(groups.items())}))
    return found


def right(row: Mapping[str, Any]) -> float:
    gap = row["chosen"] - row["rejected"]
    return 0.5 if gap == 0 else float(gap > 0)


def items_of(run: Run, names: Sequence[str]) -> dict[str, Item]:
    found: dict[str, Item] = {}
    for start in range(0, len(names), 500):
        some = Item.objects.filter(project=run.project, external_id__in=set(names[start : start + 500]))
        found.update({item.external_id: item for item in some.select_related("source")})
    return found


def domain(item: Item) -> str:
    told = next((item.metadata[key] for key in DOMAINS if item.metadata.get(key)), "")
    return str(told)[:60] if isinstance(told, str | int) else ""


def source(item: Item) -> str:
    return item.source.name if item.source else ""


def with_items(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Held-out rows with their items, for their prompts and addresses."""
    known = items_of(run, [row["item"] for row in rows])
    return [
        {
            **row,
            "margin": row["chosen"] - row["rejected"],
            "known": known.get(row["item"]),
            "prompt": asked(known.get(row["item"])),
        }
        for row in rows
    ]


def asked(item: Item | None) -> str:
    """The last words of a prompt."""
    if item is None or not item.prompt:
        return ""
    content = item.prompt[-1].get("content")
    return content if isinstance(content, str) else ""
