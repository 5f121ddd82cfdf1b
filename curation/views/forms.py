"""Forms of the pages on people and projects, and how a service's refusal finds its field."""

from __future__ import annotations

from typing import Any

from django import forms

from curation.errors import Conflict, Forbidden, Invalid
from curation.models import Group, Project, Role, Scope
from curation.presets import DEFAULT, PRESETS
from curation.services import crowd, people

MOST_GROUPS = 200
NEW_PASSWORD = {"autocomplete": "new-password"}


class refusals_into:  # noqa: N801 - used as a statement
    """What a service refuses becomes an error of the field that it names, or of the whole form."""

    def __init__(self, form: forms.Form) -> None:
        self.form = form

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Invalid | Conflict | Forbidden):
            return False
        field = error.field if error.field in self.form.fields else None
        self.form.add_error(field, error.detail[:1].upper() + error.detail[1:])
        return True


def offer_groups(form: forms.Form, project: Project) -> None:
    """The groups of a project to choose from; no field where there are none."""
    groups = list(project.groups.order_by("name")[:MOST_GROUPS])
    form.fields["group"].queryset = Group.objects.filter(pk__in=[one.pk for one in groups])  # type: ignore[attr-defined]
    if not groups:
        del form.fields["group"]


def password_field(label: str, **attributes: str) -> forms.CharField:
    return forms.CharField(
        label=label, strip=False, widget=forms.PasswordInput(attrs={**NEW_PASSWORD, **attributes}), max_length=200
    )


class NewProject(forms.Form):
    name = forms.CharField(max_length=160, widget=forms.TextInput(attrs={"autofocus": True}))
    slug = forms.SlugField(
        label="Address",
        max_length=80,
        help_text="Letters, digits and hyphens; it stands in links and in the API.",
        widget=forms.TextInput(attrs={"data-slug-of": "id_name", "autocapitalize": "off", "spellcheck": "false"}),
    )
    description = forms.CharField(required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}))
    preset = forms.ChoiceField(
        label="What is asked",
        choices=[(preset.name, preset.title) for preset in PRESETS.values()],
        initial=DEFAULT,
        widget=forms.RadioSelect,
    )
    sample = forms.BooleanField(
        label="Load the sample", required=False, help_text="Some examples that Touchstone ships for what is asked."
    )


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code",
        max_length=20,
        help_text="The six digits that your app shows now, or one of your recovery codes.",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "autofocus": True}
        ),
    )


class ProjectSettings(forms.Form):
    SAME = ("name", "description", "overlap", "cap", "certainty", "review_levels", "repeat_percent", "repeat_after")
    """Fields that are called and counted as the project's own."""

    name = forms.CharField(max_length=160)
    description = forms.CharField(required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 3}))
    overlap = forms.IntegerField(
        label="Answers per task",
        min_value=1,
        max_value=50,
        help_text="How many people answer each task. A higher number opens tasks again that have fewer answers.",
    )
    cap = forms.IntegerField(
        label="At most, while undecided",
        required=False,
        min_value=1,
        max_value=50,
        help_text="While the answers disagree, one more person is asked, up to this many. Empty: never more.",
    )
    certainty = forms.FloatField(
        label="Decided from",
        min_value=0.5,
        max_value=0.999,
        help_text="How likely the likeliest label must be: 0.9 takes two people who agree, or three of four.",
        widget=forms.NumberInput(attrs={"step": "0.01"}),
    )
    review_levels = forms.TypedChoiceField(
        label="Review",
        coerce=int,
        choices=[(0, "No review"), (1, "One reviewer"), (2, "Two reviewers, one after the other")],
    )
    review_percent = forms.IntegerField(
        label="Reviewed share, %",
        min_value=0,
        max_value=100,
        help_text="Of the answers from now on, drawn at random.",
    )
    repeat_percent = forms.IntegerField(
        label="Asked again with sides swapped, per 100 tasks",
        min_value=0,
        max_value=20,
        help_text="Unseen among the others, everybody gets so many pairs that they answered before. It counts in "
        "nothing but Checks. 0: never.",
    )
    repeat_after = forms.IntegerField(
        label="… at least so many answers later",
        min_value=1,
        max_value=1000,
        help_text="Nobody should remember the pair. Only plain preferences are asked again.",
    )
    two_factor = forms.BooleanField(
        label="Managers and owners need two-factor sign-in",
        required=False,
        help_text="Until they turn it on they can do here what a reviewer can. API tokens are not affected.",
    )

    def __init__(self, *args: Any, may_own: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_own:
            del self.fields["two_factor"]


class RemoveProject(forms.Form):
    slug = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off"}))


class InviteForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices, initial=Role.ANNOTATOR)
    days = forms.IntegerField(
        label="Holds for (days)", min_value=1, max_value=people.MOST_INVITE_DAYS, initial=people.INVITE_DAYS
    )
    uses = forms.IntegerField(label="For how many people", min_value=1, max_value=people.MOST_USES, initial=1)
    group = forms.ModelChoiceField(Group.objects.none(), required=False, empty_label="No group")
    note = forms.CharField(
        required=False, max_length=200, widget=forms.TextInput(attrs={"placeholder": "Who it is for (only you see it)"})
    )

    def __init__(self, *args: Any, project: Project, may_own: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_groups(self, project)
        if not may_own:
            self.fields["role"].choices = [(v, label) for v, label in Role.choices if v != Role.OWNER]  # type: ignore[attr-defined]


class ServiceForm(forms.Form):
    name = forms.CharField(
        max_length=60, help_text="What it is for.", widget=forms.TextInput(attrs={"placeholder": "Nightly import"})
    )


class CrowdForm(forms.Form):
    name = forms.CharField(
        max_length=120, help_text="Only managers see it.", widget=forms.TextInput(attrs={"placeholder": "Pilot study"})
    )
    quota = forms.IntegerField(label="Answers of each person", min_value=1, max_value=crowd.MOST_QUOTA, initial=20)
    most_people = forms.IntegerField(label="Most people", min_value=1, max_value=crowd.MOST_PEOPLE, initial=50)
    days = forms.IntegerField(label="Open for (days)", min_value=1, max_value=crowd.MOST_DAYS, initial=14)
    group = forms.ModelChoiceField(Group.objects.none(), required=False, empty_label="No group")
    parameter = forms.CharField(
        label="The platform’s id parameter",
        required=False,
        max_length=40,
        help_text="By which it names the person in the address: PROLIFIC_PID on Prolific, workerId on Mechanical Turk. "
        "Without one, a person is known by their browser alone.",
        widget=forms.TextInput(attrs={"autocapitalize": "off", "spellcheck": "false"}),
    )
    code = forms.CharField(
        label="Completion code",
        required=False,
        max_length=64,
        help_text="The same for everybody. Left empty, each person gets a code of their own.",
        widget=forms.TextInput(attrs={"autocapitalize": "off", "spellcheck": "false"}),
    )
    return_url = forms.CharField(
        label="Where people go afterwards",
        required=False,
        max_length=500,
        help_text="{code} stands for the code, as in https://app.prolific.com/submissions/complete?cc={code}",
        widget=forms.URLInput(attrs={"autocomplete": "off", "placeholder": "https://"}),
    )
    welcome = forms.CharField(
        label="What people read before they begin",
        required=False,
        max_length=crowd.LONGEST_WELCOME,
        help_text="Markdown: what they will do, how long it takes, and what becomes of their answers.",
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_groups(self, project)


class JoinForm(forms.Form):
    username = forms.CharField(
        label="User name",
        max_length=150,
        help_text="You sign in with it; others in your projects see it.",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "off", "spellcheck": "false"}),
    )
    display_name = forms.CharField(
        label="Your name",
        required=False,
        max_length=120,
        help_text="Shown in place of the user name.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = password_field("Password")
    password.help_text = "At least 10 characters, not a common one."


class ProfileForm(forms.Form):
    display_name = forms.CharField(
        label="Your name", required=False, max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


class PasswordForm(forms.Form):
    current = password_field("Current password", autocomplete="current-password")
    password = password_field("New password")
    password.help_text = "At least 10 characters, not a common one."

    def __init__(self, *args: Any, has_password: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_password:
            del self.fields["current"]


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=120, help_text="What it is for.", widget=forms.TextInput(attrs={"placeholder": "Training script"})
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Never more than your own role in a project allows.",
    )
    days = forms.TypedChoiceField(
        label="Ends after",
        coerce=int,
        initial=people.TOKEN_DAYS,
        choices=[(7, "7 days"), (30, "30 days"), (people.TOKEN_DAYS, "90 days"), (365, "a year"), (0, "never")],
    )


class ServiceTokenForm(TokenForm):
    """Without what the role of a service account does not allow."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["scopes"]
        field.choices = [(v, words) for v, words in Scope.choices if v != Scope.MANAGE]  # type: ignore[attr-defined]
        field.help_text = "Never more than the role of a service account allows."
