"""The second step at sign-in: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.

allauth keeps the rows and knows the arithmetic. What it leaves to an installation is here: secrets are encrypted with
a key made from SECRET_KEY, and a code is good once, on whichever process it arrives.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt, encrypt
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from curation.errors import Conflict, Forbidden, Invalid
from curation.models import Act, User
from curation.services import auditing

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

ISSUER = "Touchstone"
TOTP, RECOVERY = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES
WRONG = "this code is wrong or was used before; codes change every half minute"


class Adapter(DefaultMFAAdapter):
    """Secrets are encrypted in the database (Fernet). Another SECRET_KEY makes them unreadable: reset them then."""

    def encrypt(self, text: str) -> str:
        return fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        from cryptography.fernet import InvalidToken

        try:
            return fernet().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise Conflict("SECRET_KEY is another one than when two-factor was set up; it has to be reset") from None

    def get_totp_issuer(self) -> str:
        return ISSUER

    def get_totp_label(self, user: User) -> str:  # type: ignore[override]
        return user.username


def fernet() -> Fernet:
    from cryptography.fernet import Fernet  # not at import: workers never need it

    key = hashlib.sha256(b"touchstone two-factor:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether somebody has a second step, since when, and how many recovery codes are left."""

    on: bool
    since: datetime | None = None
    last_used: datetime | None = None
    codes_left: int = 0


def is_on(user: User) -> bool:
    return Authenticator.objects.filter(user=user, type=TOTP).exists()


def standing(user: User) -> Standing:
    found = {row.type: row for row in Authenticator.objects.filter(user=user)}
    if TOTP not in found:
        return Standing(on=False)
    codes = RecoveryCodes(found[RECOVERY]).get_unused_codes() if RECOVERY in found else []
    return Standing(True, found[TOTP].created_at, found[TOTP].last_used_at, len(codes))


def new_secret() -> str:
    """A secret that nobody has yet, encrypted: what a browser's session keeps until its first code."""
    return encrypt(totp.generate_totp_secret())


def address_of(user: User, sealed: str) -> tuple[str, str]:
    """A secret in letters, and as the `otpauth:` address that an app reads from a picture."""
    secret = decrypt(sealed)
    return secret, Adapter().build_totp_url(user, secret)


@transaction.atomic
def turn_on(*, user: User, sealed: str, code: str) -> list[str]:
    """Turn the second step on, after a first code from the app; the recovery codes, which are shown this once."""
    User.objects.select_for_update().get(pk=user.pk)
    if is_on(user):
        raise Conflict("two-factor is on already")
    made = Authenticator(user=user, type=TOTP, data={"secret": sealed})
    if not matches(made, code):
        raise Invalid(WRONG, field="code")
    made.save()
    auditing.record(Act.TWO_FACTOR_ON, by=user)
    return fresh_codes(user)


@transaction.atomic
def new_codes(*, user: User) -> list[str]:
    """Other recovery codes in place of all earlier ones."""
    if not is_on(user):
        raise Conflict("two-factor is off")
    auditing.record(Act.RECOVERY_CODES, by=user)
    return fresh_codes(user)


def fresh_codes(user: User) -> list[str]:
    Authenticator.objects.filter(user=user, type=RECOVERY).delete()
    codes = RecoveryCodes.activate(user)
    codes.mark_as_viewed()
    return codes.generate_codes()


@transaction.atomic
def check(*, user: User, code: str) -> str:
    """How `code` proves that this is `user`: `totp`, `recovery`, or "" if it does not. A code is good once."""
    given = "".join(code.split())
    rows = {row.type: row for row in Authenticator.objects.select_for_update().filter(user=user)}
    if TOTP not in rows or not given:
        return ""
    if matches(rows[TOTP], given):
        rows[TOTP].last_used_at = timezone.now()
        rows[TOTP].save(update_fields=["data", "last_used_at"])
        return "totp"
    if RECOVERY in rows and RecoveryCodes(rows[RECOVERY]).validate_code(given):
        rows[RECOVERY].record_usage()
        auditing.record(Act.RECOVERY_USED, by=user)
        return "recovery"
    return ""


def matches(authenticator: Authenticator, code: str) -> bool:
    """Whether `code` is the one of now, or of the step before or after; notes the step, so that it is good once.

    allauth remembers used codes in the cache, which each process has to itself; so the row remembers here.
    """
    secret, used = decrypt(authenticator.data["secret"]), authenticator.data.get("step", -1)
    for step in totp.yield_hotp_counters_from_time():
        expected = totp.format_hotp_value(totp.hotp_value(secret, step))
        if step > used and compare_user_code(actual="".join(code.split()), expected=expected):
            authenticator.data["step"] = step
            return True
    return False


def turn_off(*, user: User, password: str = "", code: str = "") -> None:
    """Turn the second step off. Who has a password proves it by that, anybody else by a code."""
    if user.has_usable_password():
        if not user.check_password(password):
            raise Invalid("this is not your password", field="password")
    elif not check(user=user, code=code):
        raise Invalid(WRONG, field="code")
    with transaction.atomic():
        if Authenticator.objects.filter(user=user).delete()[0]:
            auditing.record(Act.TWO_FACTOR_OFF, by=user)


@transaction.atomic
def reset(*, user: User, by: User | None) -> bool:
    """Take the second step from somebody who lost both app and codes; whether there was one. Superusers do it."""
    if by is not None and not by.is_superuser:
        raise Forbidden("only a superuser resets somebody's two-factor")
    there = Authenticator.objects.filter(user=user).delete()[0] > 0
    if there:
        auditing.record(Act.TWO_FACTOR_RESET, by=by, thing=user)
    return there


def suffices(user: User) -> bool:
    """Whether somebody signs in in two steps: by a code, or now by a provider, which has steps of its own."""
    return user.entered == "provider" or is_on(user)
