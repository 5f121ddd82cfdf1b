"""The second step of the own account: set up with a picture, recovery codes shown once, turned off."""

from __future__ import annotations

from io import BytesIO

import qrcode
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from qrcode.image.svg import SvgPathImage

from curation.models import User
from curation.services import two_factor
from curation.views.doors import SECOND_STEP
from curation.views.entering import proved
from curation.views.forms import CodeForm, password_field, refusals_into
from curation.views.people import own

SETTING_UP = "two-factor-secret"


class OffForm(forms.Form):
    """The password; a code of those who have none."""

    password = password_field("Your password", autocomplete="current-password")
    code = CodeForm.base_fields["code"]

    def __init__(self, *args: object, has_password: bool, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        del self.fields["code" if has_password else "password"]
        for field in self.fields.values():
            field.widget.attrs.pop("autofocus", None)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    user, action = own(request), request.POST.get("action", "")
    standing = two_factor.standing(user)
    if not standing.on:
        return set_up(request, user)
    off = OffForm(request.POST if action == "off" else None, has_password=user.has_usable_password(), prefix="off")
    renew = CodeForm(request.POST if action == "codes" else None, prefix="codes")
    renew.fields["code"].widget.attrs.pop("autofocus", None)
    if renew.is_bound and renew.is_valid():
        if proved(request, user, renew.cleaned_data["code"]):
            return with_codes(request, two_factor.new_codes(user=user))
        renew.add_error("code", two_factor.WRONG)
    if off.is_bound and off.is_valid():
        with refusals_into(off):
            two_factor.turn_off(user=user, **off.cleaned_data)
            request.session[SECOND_STEP] = ""
            messages.success(request, "Two-factor sign-in is off.")
            return redirect("account")
    context = {"standing": standing, "off": off, "renew": renew}
    return render(request, "people/two_factor.html", context, status=422 if off.errors or renew.errors else 200)


def set_up(request: HttpRequest, user: User) -> HttpResponse:
    """A secret for the app, kept by the session until its first code proves that it arrived."""
    sealed = request.session.setdefault(SETTING_UP, two_factor.new_secret())
    form = CodeForm(request.POST if request.POST.get("action") == "on" else None)
    form.fields["code"].help_text = "The six digits that your app shows now."
    if form.is_bound and form.is_valid():
        with refusals_into(form):
            codes = two_factor.turn_on(user=user, sealed=sealed, code=form.cleaned_data["code"])
            del request.session[SETTING_UP]
            request.session.cycle_key()
            request.session[SECOND_STEP] = user.entered = "totp"
            return with_codes(request, codes)
    secret, address = two_factor.address_of(user, sealed)
    grouped = " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
    context = {"form": form, "secret": grouped, "address": address, "picture": picture(address)}
    return render(request, "people/two_factor_set_up.html", context, status=422 if form.errors else 200)


def with_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """The answer to this very request shows the codes; nothing shows them again."""
    return render(request, "people/recovery_codes.html", {"codes": codes}, status=201)


def picture(address: str) -> SafeString:
    """An `otpauth:` address as a QR code: SVG out of attributes, so that the page's policy allows it."""
    written = BytesIO()
    qrcode.make(address, image_factory=SvgPathImage, box_size=12).save(written)
    svg = written.getvalue().decode().partition("?>")[2] or written.getvalue().decode()
    return mark_safe(svg.strip())  # made here, of letters and digits
