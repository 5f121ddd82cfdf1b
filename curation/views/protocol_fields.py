"""The fields of a protocol's form: each part of the protocol as a small form, its fields named by their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from curation.models import Protocol, TaskKind
from curation.protocols import Colour

COLOURS = [("", "By its place"), *((name, name.capitalize()) for name in Colour.__args__ if name)]  # type: ignore[attr-defined]
WANTED = [("off", "Not asked"), ("optional", "Optional"), ("required", "Required")]
SCALES = [(1, "Better or worse"), (2, "Better, much better"), (3, "Slightly better, better, much better")]
QUESTION_KINDS = [
    ("yesno", "Yes or no"),
    ("rating", "A number on a scale"),
    ("choice", "One of several options"),
    ("choices", "Any of several options"),
    ("text", "Words"),
]
SCOPES = [("response", "Of the response"), ("unit", "Of each sentence or step")]
MODES = [
    ("off", "Hidden"),
    ("shown", "Shown from the start"),
    ("reveal", "Revealed after the annotator has answered"),
]


def text(label: str, most: int = 300, **attributes: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off", **attributes})
    return forms.CharField(label=label, required=False, max_length=most, widget=widget)


def name_of(label: str, most: int = 60, **attributes: str) -> forms.CharField:
    return text(label, most, spellcheck="false", autocapitalize="off", **attributes)


def choice(label: str, choices: list[Any], help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(label=label, required=False, choices=choices, help_text=help_text)


def switch(label: str, help_text: str = "") -> forms.BooleanField:
    return forms.BooleanField(label=label, required=False, help_text=help_text)


class Part(forms.Form):
    """Fields under one path. Nothing is required of them here: the service says what is wrong."""

    use_required_attribute = False

    def __init__(self, data: Mapping[str, str], path: str = "") -> None:
        super().__init__(data, prefix=path or None, auto_id="f-%s")
        self.path = path
        self.listed: list[str] = []
        """Errors of the part as a whole."""

    def add_prefix(self, field_name: str) -> str:
        return f"{self.prefix}.{field_name}" if self.prefix else field_name

    @property
    def number(self) -> int:
        return int(self.path.rpartition(".")[2]) + 1

    @property
    def empty(self) -> bool:
        """Whether nothing was filled in."""
        return not any(str(self.data.get(self.add_prefix(name), "")).strip() for name in self.fields)

    def values(self) -> dict[str, Any]:
        """What the fields say; what a number's field cannot read stays as it was typed."""
        self.is_valid()
        return {name: self.cleaned_data.get(name, self.data.get(self.add_prefix(name), "")) for name in self.fields}


class Asking(Part):
    """The fields of the protocol itself."""

    guidelines = forms.CharField(
        required=False,
        strip=False,
        help_text="Markdown. Annotators see it on the project page and beside each task.",
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "true"}),
    )
    strengths = forms.TypedChoiceField(label="Scale", required=False, coerce=int, choices=SCALES)
    allow_tie = switch("“Tie” may be answered")
    allow_both_bad = switch("“Both bad” may be answered")
    rationale = choice("A reason in words", list(Protocol.Rationale.choices))
    unit = choice("What is judged", list(Protocol.Unit.choices), "The piece of a response that a critique is about.")


class Kind(Part):
    kind = choice("One task is to", list(TaskKind.choices), "Fixed once there are tasks.")


class Axis(Part):
    was = forms.CharField(required=False, widget=forms.HiddenInput)
    name = name_of("Name", 40, placeholder="helpfulness")
    question = text("Question", placeholder="Which response is more helpful?")


class LabelRow(Part):
    was = forms.CharField(required=False, widget=forms.HiddenInput)
    color = choice("Colour", COLOURS)
    name = name_of("Name", 60, placeholder="name")
    label = text("Shown as", placeholder="as its name")
    key = name_of("Key", 1, placeholder="–")
    about = text("Explanation", placeholder="what it means, shown on hover")


class SeverityRow(LabelRow):
    weight = forms.FloatField(
        label="Weight", required=False, widget=forms.NumberInput(attrs={"step": "any", "placeholder": "1"})
    )


class CritiquesPart(Part):
    on = switch("Ask for critiques", "A critique marks a piece of a response and says what is good or poor about it.")
    comment = choice("A comment in words", WANTED)
    edit = switch("A suggested edit may be written")
    omission = switch("Something missing may be marked")
    evidence = switch("A span that proves it may be named")


class Polarities(Part):
    good = switch("Good")
    neutral = switch("Neutral")
    poor = switch("Poor")


class Condition(Part):
    question = name_of("Question", 60, placeholder="name of an earlier question")
    answers = text("Answers", placeholder="no, or: mild, severe", spellcheck="false")


class QuestionRow(Part):
    was = forms.CharField(required=False, widget=forms.HiddenInput)
    name = name_of("Name", 60, placeholder="safe")
    question = text("Question", placeholder="Is this response safe?")
    kind = choice("Answered with", QUESTION_KINDS)
    scope = choice("Asked", SCOPES)
    low = forms.IntegerField(label="Lowest", required=False, widget=forms.NumberInput(attrs={"placeholder": "1"}))
    high = forms.IntegerField(label="Highest", required=False, widget=forms.NumberInput(attrs={"placeholder": "5"}))
    required = switch("Must be answered")
    comment = choice("Words with the answer", WANTED)
    comment_for = text("Words are needed after", placeholder="no, or: −1, 0", spellcheck="false")
    evidence = choice("A span that proves it", [*WANTED[:2], ("required", "Required for yes")])
    stop = name_of("Stops after the answer", 20, placeholder="no, or: −1")


class HelpPart(Part):
    mode = choice("Suggestions of models are", MODES)
    holdout = forms.FloatField(
        label="Tasks that never show them, in percent",
        required=False,
        min_value=0,
        max_value=100,
        help_text="Chosen at random for each annotator, so that the influence of suggestions can be measured.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
