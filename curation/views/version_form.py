"""The form that asks for a dataset version: what everybody is asked, and under "More" the rest of the filters."""

from __future__ import annotations

from typing import Any

import orjson
from django import forms
from django.db.models import Q

from curation.errors import DomainError
from curation.models import DatasetVersion, Gold, ModelVersion, Project
from curation.services import deciding, fits, freezing
from curation.services.curating import showing
from curation.views.version_before import fields_of, shares_from
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

    name = forms.SlugField(
        label="Dataset",
        max_length=40,
        widget=forms.TextInput(attrs={"list": "datasets", "autocomplete": "off"}),
        help_text="A new name starts a new line of versions.",
    )
    target = forms.ChoiceField(label="Target", help_text="The format, by who reads it.")
    test_share = forms.IntegerField(
        label="Test share, %",
        min_value=0,
        max_value=90,
        initial=10,
        help_text="What has one prompt stays together, unless you choose otherwise below.",
    )
    shares = forms.CharField(
        label="Splits and shares, %", help_text="In this order, with commas between, such as train 80, test 20."
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
    further = forms.CharField(
        label="Further filters",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "mono", "spellcheck": "false"}),
        help_text="Those that have no field here, as a JSON object. What is said here goes before the fields.",
    )

    def __init__(
        self, data: Any = None, *, project: Project, before: DatasetVersion | None = None, initial: Any = None
    ) -> None:
        """`before` is the version whose choices it begins with, as far as `initial` has no others."""
        super().__init__(data, initial={**(fields_of(before) if before else {}), **(initial or {})})
        self.project, self.before = project, before
        fitting = freezing.offered(project)
        if self.initial.get("target") not in [target.name for target in fitting]:
            self.initial["target"] = freezing.usual(project, fitting)
        for name, instead in (("shares", "test_share"), ("further", None)):
            if not (name in self.data if self.is_bound else self.initial.get(name)):
                del self.fields[name]
            elif instead:
                del self.fields[instead]
        if not Gold.objects.filter(project=project, retired_at=None).exists():
            del self.fields["gold"]
        self.fitting = {target.name: target for target in fitting}
        self.choose("target", [(target.name, target.title) for target in fitting])
        self.choose("axis", [(axis, axis) for axis in axes_of(project)])
        self.choose("decided_by", [(fits.MAJORITY, "The majority"), *fits_of(project)], earlier=True)
        self.choose("curated", runs_with_proposals(project), earlier=True)
        if not self.fields["curated"].choices:  # type: ignore[attr-defined]
            del self.fields["curated"]
        self.choose("score_model", [("", "—"), *models_of(project)], earlier=True)
        if embedders := embedders_of(project):
            self.choose("keep_out_by", [("", "—"), *embedders], earlier=True)
        else:
            del self.fields["keep_out_by"], self.fields["keep_out_near"]
        self.initial.setdefault("name", "preferences" if self.initial["target"] in PREFERENCES else "critiques")
        if "annotators" not in self.initial:
            self.initial["annotators"] = freezing.usual_deciders(project)

    def choose(self, name: str, choices: list[tuple[str, str]], *, earlier: bool = False) -> None:
        """Offer choices; `earlier`: also what the version before had chosen, where that is no longer among them."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        if earlier and self.before:
            was = fields_of(self.before).get(name) or []
            told = [str(one) for one in (was if isinstance(was, list) else [was])]
            known = {value for value, _ in choices}
            choices = [*choices, *((one, f"{one[:8]}, as in {self.before}") for one in told if one not in known)]
        field.choices = choices

    @property
    def chosen(self) -> Target | None:
        """The target as the form stands; None while there is none, or none that fits."""
        return self.fitting.get(self["target"].value())

    @property
    def applicable(self) -> tuple[str, ...]:
        return deciding.applicable(self.chosen.source, self.project.kind) if self.chosen else ()

    def common(self) -> list[forms.BoundField]:
        return [self[name] for name in ("name", "target", "test_share", "shares", "seed") if name in self.fields]

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
        told = [*said, self["where"], *([self["further"]] if "further" in self.fields else [])]
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

    def clean_further(self) -> Any:
        text = self.cleaned_data["further"].strip()
        try:
            found = orjson.loads(text or "{}")
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(f"Is not JSON: {error.msg}.") from None
        if not isinstance(found, dict):
            raise forms.ValidationError("Must be a JSON object.")
        return found

    def clean_shares(self) -> dict[str, float]:
        try:
            return freezing.check_splits(shares_from(self.cleaned_data["shares"]))
        except DomainError as error:
            raise forms.ValidationError(f"{(error.field or '').removeprefix('splits.')}: {error.detail}") from None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

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
        told |= given.get("further") or {}
        return {name: value for name, value in told.items() if value not in (None, "", [], {})}

    def splits(self) -> dict[str, float]:
        if "shares" in self.fields:
            shares: dict[str, float] = self.cleaned_data["shares"]
            return shares
        test = self.cleaned_data["test_share"]
        return {"train": (100 - test) / 100, "test": test / 100} if test else {"train": 1.0}

    def refuse(self, error: DomainError) -> None:
        """Tell what a service refused, at the field that it is about."""
        first, *rest = (error.field or "").removeprefix("filters.").split(".")
        if first == "scores" and rest[-1:] and f"score_{rest[-1]}" in self.fields:
            first = f"score_{rest[-1]}"
        name = "further" if first in (self.cleaned_data.get("further") or {}) else SAID_BY.get(first, first)
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


def axes_of(project: Project) -> list[str]:
    return project.protocol.axis_names if project.protocol else ["overall"]
