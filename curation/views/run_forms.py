"""The form of a method, drawn from its parameters: a field for each, by its type."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, Literal, Union, get_args, get_origin

import orjson
from django import forms
from django.db.models import Q
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from curation.models import Annotator, DatasetVersion, ModelVersion, Project
from curation.services.method import Method

OURS = "run_"
"""Before the names of the fields that every run has, so that no parameter is called the same."""
BIGGEST_SEED = 2**31 - 1
CRITICS = 200


class RunForm(forms.Form):
    """What a run is started with; `params()` is what the person said, still to be checked by the method."""

    run_queue = forms.ChoiceField(
        label="Workers",
        choices=[("", "Automatic"), ("cpu", "CPU"), ("gpu", "GPU")],
        required=False,
        help_text="Automatic: on a GPU when a worker has one and the model wants it.",
    )
    run_seed = forms.IntegerField(label="Seed", min_value=0, max_value=BIGGEST_SEED, initial=0, required=False)

    def __init__(self, *args: Any, method: Method, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method = method
        for name, info in self.shown().items():
            self.fields[name] = field_for(name, info, project)

    def shown(self) -> dict[str, FieldInfo]:
        """The method's parameters, but those that it only has for others' sake."""
        return {name: info for name, info in self.method.params.model_fields.items() if not hidden(info)}

    def asked(self) -> list[forms.BoundField]:
        """The method's own fields, those without which it cannot start first."""
        own = [self[name] for name, info in self.shown().items() if not folded(info)]
        return sorted(own, key=lambda field: not field.field.required)

    def more(self) -> list[forms.BoundField]:
        """Its fields that are seldom touched."""
        return [self[name] for name, info in self.shown().items() if folded(info)]

    def common(self) -> list[forms.BoundField]:
        return [self["run_queue"], self["run_seed"]]

    def lacks_model(self) -> bool:
        """Whether it needs a model and none that fits is ready."""
        needed = [name for name, info in self.method.params.model_fields.items() if picks_model(info, needed=True)]
        fields = (self.fields[name] for name in needed)
        return any(not [value for value, _ in field.choices if value] for field in fields)  # type: ignore[attr-defined]

    def params(self) -> dict[str, Any]:
        """What was filled in; what was left empty keeps the method's own default."""
        own = {name: self.cleaned_data.get(name) for name in self.shown()}
        return {name: value for name, value in own.items() if value not in (None, "")}

    def blame(self, field: str, detail: str) -> None:
        """Show what the method refused beside the field that it named."""
        name = field.removeprefix("params.").split(".")[0]
        self.add_error(name if name in self.fields else None, detail[:1].upper() + detail[1:])


class Lines(forms.CharField):
    """A list of words, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in (value or "").splitlines()]
        return [line for line in lines if line] or None


class Json(forms.CharField):
    """Anything else, as JSON."""

    widget = forms.Textarea(attrs={"rows": 3, "class": "mono", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str | None) else orjson.dumps(value).decode()

    def to_python(self, value: Any) -> Any:
        if not value:
            return None
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(f"This is not JSON: {error}") from None


def field_for(name: str, info: FieldInfo, project: Project) -> forms.Field:
    """A field by the type of a parameter: a choice, a number, a tick, words, or JSON."""
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    default = None if info.default is PydanticUndefined else info.get_default(call_default_factory=True)
    about = str(extra.get("help") or info.description or "").strip()
    shared: dict[str, Any] = {
        "label": info.title or name.replace("_", " ").capitalize(),
        "help_text": about[:1].upper() + about[1:] + ("." if about and about[-1] not in ".?!" else ""),
        "required": info.is_required(),
        "initial": default,
    }
    inner, optional = without_none(info.annotation)
    if picks_model(info):
        kinds = [str(kind) for kind in extra.get("kinds", [])]  # type: ignore[union-attr]
        return choice(models_for(project, kinds), int, optional, shared | empty_of(extra))
    if extra.get("choose") == "version":
        return choice(versions_for(project, extra.get("targets")), str, True, shared)
    if extra.get("choose") == "queue":
        own = [(queue.pk, queue.name) for queue in project.queues.order_by("name")]
        return choice(own, int, True, {**shared, "empty": "The project's own"})
    if extra.get("choose") == "critic":
        machines = project.annotators.exclude(kind=Annotator.Kind.PERSON).order_by("name")
        return choice([(one.pk, one.name) for one in machines[:CRITICS]], int, optional, shared)
    if extra.get("choose") == "axis":
        axes = project.protocol.axis_names if project.protocol else ["overall"]
        return choice([(axis, axis) for axis in axes], str, optional, shared)
    if isinstance(names := extra.get("enum"), list):
        return choice([(name, str(name)) for name in names], str, optional, shared)
    if get_origin(inner) is Literal:
        words = get_args(inner)
        return choice([(one, str(one).capitalize()) for one in words], type(words[0]), optional, shared)
    if inner is bool:
        return forms.BooleanField(**{**shared, "required": False})
    if inner in (int, float):
        return number(inner, info, shared)
    if inner is str:
        return forms.CharField(**shared)
    if get_origin(inner) in (list, tuple) and get_args(inner)[:1] == (str,):
        return Lines(**shared)
    return Json(**shared)


def hidden(info: FieldInfo) -> bool:
    return isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("hidden") is True


def folded(info: FieldInfo) -> bool:
    return isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("more") is True


def picks_model(info: FieldInfo, *, needed: bool = False) -> bool:
    """Whether a parameter is a model; `needed`: one that must be chosen."""
    chosen = isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("choose") == "model"
    return chosen and (info.is_required() or not needed)


def empty_of(extra: dict[str, Any]) -> dict[str, Any]:
    """What the empty choice of a model is called, where its method has a word for it."""
    return {"empty": extra["empty"]} if "empty" in extra else {}


def without_none(annotation: Any) -> tuple[Any, bool]:
    """`int | None` as int, and that it may be None."""
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [one for one in get_args(annotation) if one is not type(None)]
        if len(rest) == 1:
            return rest[0], True
        return annotation, len(rest) < len(get_args(annotation))
    return annotation, False


def choice(
    choices: list[tuple[Any, str]], kind: Callable[[Any], Any], optional: bool, shared: dict[str, Any]
) -> forms.Field:
    """One of a few; with an empty one where the parameter may stay open, or must not be chosen for the person."""
    empty = shared.pop("empty", "Automatic")
    if shared["required"]:
        choices = [("", "Choose…"), *choices] if len(choices) != 1 else choices
    elif optional or shared["initial"] in (None, ""):
        choices = [("", empty), *choices]
    return forms.TypedChoiceField(**shared, choices=choices, coerce=kind, empty_value=None)


def number(kind: type, info: FieldInfo, shared: dict[str, Any]) -> forms.Field:
    """With the bounds that the parameter has; the method itself refuses what is just on an open one."""
    bounds: dict[str, Any] = {}
    for rule in info.metadata:
        if (least := getattr(rule, "ge", None)) is not None:
            bounds["min_value"] = least
        if (most := getattr(rule, "le", None)) is not None:
            bounds["max_value"] = most
    made = forms.IntegerField(**shared, **bounds) if kind is int else forms.FloatField(**shared, **bounds)
    if kind is float:
        made.widget.attrs["step"] = "any"
    return made


def versions_for(project: Project, targets: Any) -> list[tuple[str, str]]:
    """Ready dataset versions for some targets, the newest first."""
    ready = DatasetVersion.objects.filter(dataset__project=project, state=DatasetVersion.State.READY)
    found = ready.filter(target__in=targets).select_related("dataset").order_by("-created_at", "-pk")
    return [
        (f"{one.dataset.name}@{one.number}", f"{one} · {one.target}, {one.counts.get('total', 0)} rows")
        for one in found[:500]
    ]


def models_for(project: Project, kinds: list[str]) -> list[tuple[int, str]]:
    """Ready model versions that the project may use, the newest of each name first."""
    visible = ModelVersion.objects.filter(Q(project=None) | Q(project=project), retired_at=None)
    ready = visible.filter(state=ModelVersion.State.READY).order_by("name", "-number")
    if kinds:
        ready = ready.filter(kind__in=kinds)
    return [(one.pk, f"{one} · {one.get_kind_display()}") for one in ready[:500]]
