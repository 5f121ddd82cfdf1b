"""The form that asks for a dataset version: what everybody is asked, and under "More" the rest of the filters."""

from __future__ import annotations

from typing import Any

import orjson
from django import forms
from django.db.models import Q

from curation.errors import DomainError
from curation.models import DatasetVersion, Gold, ModelVersion, Progress, Project
from curation.services import deciding, fits, freezing
from curation.services.curating import showing
from workers.writers import Target

PREFERENCES = ("trl-preference", "trl-preference-implicit")
FILTERS = ("annotators", "decided_by", "min_annotations", "min_confidence", "labels", "axis", "gold")
FITS = 20
MODELS = 200
SAID_BY = {
    "where": "where",
    "scores": "score_model",
    "caps": "cap_rows",
    "balance": "balance_by",
    "name": "name",
    "reliable": "min_reliability",
    "gold_score": "min_gold",
    "decontaminate": "keep_out",
}
"""Under which field an error in a part of the filters is told; others are called the same."""
EXAMPLE = '[{"field": "item.metadata.topic", "op": "in", "value": ["code", "maths"]}]'


class Moments(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class VersionForm(forms.Form):
    """What a version is made of. Shares are percent, since people think in them."""

    name = forms.SlugField(label="Dataset", max_length=40, help_text="A new name starts a new line of versions.")
    target = forms.ChoiceField(label="Target", help_text="The format, by who reads it.")
    test_share = forms.IntegerField(
        label="Test share, %",
        min_value=0,
        max_value=90,
        initial=10,
        help_text="What has one prompt stays together, unless you choose otherwise below.",
    )
    seed = forms.IntegerField(label="Seed", min_value=0, max_value=2**31 - 1, initial=0)
    annotators = forms.ChoiceField(
        label="Answers of",
        choices=[
            ("people", "People, signed in or imported"),
            ("signed-in", "People who signed in"),
            ("imported", "Imported answers of people"),
            ("models", "Models"),
            ("all", "Everybody"),
        ],
        help_text="Whose answers decide, or are exported; a vote that came with a file counts as one answer.",
    )
    decided_by = forms.ChoiceField(
        label="Labels decided by", required=False, help_text="A fit has chosen whose answers it takes."
    )
    min_annotations = forms.IntegerField(
        label="Fewest answers on a pair", min_value=1, max_value=1000, initial=1, required=False
    )
    min_confidence = forms.FloatField(
        label="Smallest confidence, 0 to 1",
        min_value=0,
        max_value=1,
        initial=0,
        required=False,
        help_text="Share of answers for the winner; of a fit how likely the label is right.",
    )
    labels = forms.ChoiceField(
        label="Rows",
        choices=[("decided", "One for each pair, as it was decided"), ("raw", "One for each annotator's own answer")],
        required=False,
    )
    axis = forms.ChoiceField(label="Axis", required=False)
    gold = forms.ChoiceField(
        label="Prompts with gold",
        required=False,
        choices=[("exclude", "Left out"), ("include", "Among the others"), ("only", "Only these")],
        help_text="What checks annotators and models is nothing to learn from.",
    )

    names = forms.CharField(
        label="Only these annotators", required=False, help_text="Names as in the raw answers, with commas between."
    )
    not_names = forms.CharField(label="All but these annotators", required=False)
    since = forms.DateTimeField(label="Answers from", required=False, widget=Moments, help_text="UTC.")
    until = forms.DateTimeField(label="Answers before", required=False, widget=Moments, help_text="UTC.")
    curated = forms.MultipleChoiceField(
        label="Follow what was accepted of",
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 4}),
        help_text="Accepted drops are left out, accepted flips exchange chosen and rejected. None, or several.",
    )
    split_by = forms.ChoiceField(
        label="Stays in one split",
        required=False,
        choices=DatasetVersion.SplitBy.choices,
        help_text="Near-duplicate prompts are found by their text; it takes minutes for a million of them.",
    )
    keep_out = forms.CharField(
        label="Keep out what overlaps with",
        required=False,
        help_text="Names with commas between: own, for the test splits of earlier versions, and benchmarks.",
    )
    keep_out_by = forms.ChoiceField(
        label="… and what is near by vectors of",
        required=False,
        help_text="An embedder that gave prompts here vectors.",
    )
    keep_out_near = forms.FloatField(
        label="… from a cosine of", min_value=0.01, max_value=1, required=False, help_text="Empty: 0.9."
    )
    min_reliability = forms.FloatField(
        label="Only annotators as reliable as, 0 to 1",
        min_value=0,
        max_value=1,
        required=False,
        help_text="By the fit in use, under Decisions.",
    )
    min_gold = forms.FloatField(
        label="Only annotators right on gold, 0 to 1",
        min_value=0,
        max_value=1,
        required=False,
        help_text="Share of their hidden gold, as it stands now; the version keeps who they are.",
    )
    gold_of = forms.IntegerField(
        label="… of at least so many",
        min_value=1,
        max_value=10_000,
        required=False,
        help_text="Who answered less gold is left out. Empty: 10.",
    )
    score_model = forms.ChoiceField(label="Model", required=False)
    score_head = forms.CharField(
        label="Head", required=False, max_length=40, help_text="Of models with several; else leave it empty."
    )
    score_of = forms.ChoiceField(
        label="Of",
        required=False,
        choices=[
            ("any", "Any response"),
            ("chosen", "The chosen response"),
            ("rejected", "The rejected response"),
            ("margin", "Chosen less rejected"),
        ],
    )
    score_min = forms.FloatField(label="Score from", required=False)
    score_max = forms.FloatField(label="Up to", required=False)
    cap_prompt = forms.IntegerField(label="Most of one prompt", min_value=1, max_value=2**31 - 1, required=False)
    cap_rows = forms.IntegerField(
        label="Most rows",
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="Which ones follows from the seed.",
    )
    balance_by = forms.CharField(
        label="Balance by", required=False, help_text="Such as item.source, chosen.model or item.metadata.topic."
    )
    balance_most = forms.IntegerField(
        label="Most of each",
        min_value=1,
        max_value=2**31 - 1,
        required=False,
        help_text="Empty: as many as the smallest has.",
    )
    where = forms.CharField(
        label="Conditions",
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"}),
        help_text="A JSON list; all of them must hold.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        fitting = freezing.offered(project)
        usual = freezing.usual(project, fitting)
        if not Gold.objects.filter(project=project, retired_at=None).exists():
            del self.fields["gold"]
        self.fitting = {target.name: target for target in fitting}
        self.choose("target", [(target.name, target.title) for target in fitting])
        self.choose("axis", [(axis, axis) for axis in axes_of(project)])
        self.choose("decided_by", [(fits.MAJORITY, "The majority"), *fits_of(project)])
        proposing = runs_with_proposals(project)
        self.fields["curated"].choices = proposing  # type: ignore[attr-defined]
        if not proposing:
            del self.fields["curated"]
        self.choose("score_model", [("", "—"), *models_of(project)])
        if embedders := embedders_of(project):
            self.choose("keep_out_by", [("", "—"), *embedders])
        else:
            del self.fields["keep_out_by"], self.fields["keep_out_near"]
        self.initial.setdefault("target", usual)
        self.initial.setdefault("name", "preferences" if usual in PREFERENCES else "critiques")
        self.initial.setdefault("annotators", usual_deciders(project))

    def choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    @property
    def chosen(self) -> Target | None:
        """The target as the form stands; None while there is none, or none that fits."""
        return self.fitting.get(self["target"].value())

    @property
    def applicable(self) -> tuple[str, ...]:
        return deciding.applicable(self.chosen.source, self.project.kind) if self.chosen else ()

    def common(self) -> list[forms.BoundField]:
        return [self[name] for name in ("name", "target", "test_share", "seed")]

    def selecting(self) -> list[forms.BoundField]:
        """The fields that mean something to the chosen target."""
        return [self[name] for name in FILTERS if name in self.applicable and name in self.fields]

    def more(self) -> list[tuple[str, list[forms.BoundField]]]:
        """What is asked under "More", in groups with their titles."""
        groups = {
            "Proposals of curators": ("curated",),
            "Who and when": ("names", "not_names", "since", "until", "min_reliability", "min_gold", "gold_of"),
            "Scores of a model": ("score_model", "score_head", "score_of", "score_min", "score_max"),
            "How many": ("cap_prompt", "cap_rows", "balance_by", "balance_most"),
            "Splits and benchmarks": ("split_by", "keep_out", "keep_out_by", "keep_out_near"),
        }
        there = {title: [self[name] for name in names if name in self.fields] for title, names in groups.items()}
        return [(title, fields) for title, fields in there.items() if fields]

    @property
    def opened(self) -> bool:
        """Whether anything under "More" was said, or is wrong."""
        said = [field for _, group in self.more() for field in group if field.name not in ("score_of", "split_by")]
        told = [*said, self["where"]]
        return any(one.value() for one in told) or self["split_by"].value() not in (None, "", "prompt")

    def clean_where(self) -> Any:
        text = self.cleaned_data["where"].strip()
        if not text:
            return None
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(
                f"Is not JSON: {error.msg}, line {error.lineno}, column {error.colno}."
            ) from None

    def filters(self) -> dict[str, Any]:
        """What was chosen, as the service takes it; what was left empty is as usual."""
        given = self.cleaned_data
        told: dict[str, Any] = {name: given.get(name) for name in FILTERS if name in self.applicable}
        told |= {name: listed(given[name]) for name in ("names", "not_names")}
        told["decontaminate"] = listed(given["keep_out"])
        if told["decontaminate"] and given.get("keep_out_by"):
            near = {"embedder": int(given["keep_out_by"]), "embedding": given["keep_out_near"]}
            told["decontaminate"] = {"against": told["decontaminate"], **spoken(near)}
        told |= {name: given[name].isoformat() if given[name] else None for name in ("since", "until")}
        if told.get("decided_by") not in (None, "", fits.MAJORITY):
            told.pop("annotators", None)
        if given["min_reliability"] is not None:
            told["reliable"] = {"min": given["min_reliability"]}
        if given["min_gold"] is not None:
            told["gold_score"] = spoken({"min": given["min_gold"], "of": given["gold_of"]})
        told["where"], told["curated"] = given["where"], given.get("curated")
        if given["score_model"] or given["score_min"] is not None or given["score_max"] is not None:
            wanted = {name: given[f"score_{name}"] for name in ("head", "of", "min", "max")}
            told["scores"] = [{**spoken(wanted), "model": int(given["score_model"] or 0)}]
        told["caps"] = spoken({"per_prompt": given["cap_prompt"], "rows": given["cap_rows"]})
        if given["balance_by"]:
            told["balance"] = spoken({"by": given["balance_by"], "most": given["balance_most"]})
        return {name: value for name, value in told.items() if value not in (None, "", [], {})}

    def splits(self) -> dict[str, float]:
        test = self.cleaned_data["test_share"]
        return {"train": (100 - test) / 100, "test": test / 100} if test else {"train": 1.0}

    def refuse(self, error: DomainError) -> None:
        """Tell what a service refused, at the field that it is about."""
        first, *rest = (error.field or "").removeprefix("filters.").split(".")
        if first == "scores" and rest[-1:] and f"score_{rest[-1]}" in self.fields:
            first = f"score_{rest[-1]}"
        name = SAID_BY.get(first, first)
        place = f"{'.'.join(rest)}: " if name == "where" and rest else ""
        self.add_error(name if name in self.fields else None, f"{place}{error.detail}")


def listed(text: str) -> list[str]:
    """What stands between commas."""
    return [one.strip() for one in text.split(",") if one.strip()]


def spoken(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value not in (None, "")}


def models_of(project: Project) -> list[tuple[str, str]]:
    """The newest models that may have scored here."""
    rows = ModelVersion.objects.filter(Q(project=None) | Q(project=project), retired_at=None)
    kinds = [ModelVersion.Kind.CRITIC, ModelVersion.Kind.EMBEDDER, ModelVersion.Kind.POLICY]
    return [(str(one.pk), str(one)) for one in rows.exclude(kind__in=kinds).order_by("-pk")[:MODELS]]


def embedders_of(project: Project) -> list[tuple[str, str]]:
    rows = ModelVersion.objects.filter(Q(project=None) | Q(project=project), retired_at=None)
    found = rows.filter(kind=ModelVersion.Kind.EMBEDDER).order_by("-pk")[:MODELS]
    return [(str(one.pk), str(one)) for one in found]


def fits_of(project: Project) -> list[tuple[str, str]]:
    """The newest fits, the one in use by itself too, which each version takes as it is then."""
    runs = fits.finished(project)[:FITS]
    told = [
        (str(run.pk), f"{run.result.get('method')}, {run.ended_at:%-d %b %Y, %H:%M}") for run in runs if run.ended_at
    ]
    return [(fits.IN_USE, "The fit in use"), *told] if project.fit_id else told


def runs_with_proposals(project: Project) -> list[tuple[str, str]]:
    """The newest finished runs that made proposals, with how many are accepted."""
    made = [(run, showing.counts(run)) for run in showing.runs(project) if run.state == run.State.SUCCEEDED]
    return [
        (
            str(run.pk),
            f"{run.result.get('curator') or run.method}, {run.ended_at:%-d %b %Y, %H:%M}: "
            f"{sum(one.accepted for one in counts)} of {sum(one.total for one in counts)} accepted",
        )
        for run, counts in made
        if counts and run.ended_at
    ]


def usual_deciders(project: Project) -> str:
    """Who signed in, once anybody has answered here: an imported vote would else cancel the answer of one person."""
    return "signed-in" if Progress.objects.filter(project=project, done__gt=0).exists() else "people"


def axes_of(project: Project) -> list[str]:
    return project.protocol.axis_names if project.protocol else ["overall"]
