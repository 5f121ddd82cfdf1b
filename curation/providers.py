"""Sign-in providers, as the environment describes them: OpenID Connect, found by their discovery address."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

GivenRole = Literal["viewer", "annotator", "reviewer", "manager", "owner"]
EVERYBODY = "*"
"""In place of a group: everybody whom the provider vouches for and who is let in."""
PREFIX = "TOUCHSTONE_OIDC_"


class Provider(BaseModel):
    """One provider, and whom it lets in the first time: by e-mail domain or group; an invite always does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(default="sso", pattern=r"^[a-z0-9-]{1,40}$")
    """Stands in the callback address `/sign-in/with/<key>/callback/`; kept with every account, so never change it."""
    name: str = Field(default="single sign-on", min_length=1, max_length=40)
    url: str = Field(pattern=r"^https?://\S+$")
    """The issuer's address, or its whole `…/.well-known/openid-configuration`."""
    id: str = Field(min_length=1, max_length=191)
    secret: str = Field(default="", max_length=191)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    domains: tuple[str, ...] = ()
    """E-mail domains whose people may come in, if the provider says that the address is verified."""
    trust_email: bool = False
    """Addresses count as verified even if the provider does not say so (Entra does not)."""
    groups_claim: str = "groups"
    """The claim that lists a person's groups; dots lead into objects (`realm_access.roles`)."""
    groups: dict[str, dict[str, GivenRole]] = {}
    """Roles by group and project: `{"annotators": {"helpfulness": "annotator"}}`."""

    @field_validator("domains")
    @classmethod
    def in_lower_case(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.strip().lower().lstrip("@") for domain in domains if domain.strip())


def providers_from(environment: Mapping[str, str]) -> tuple[Provider, ...]:
    """All providers: one from `TOUCHSTONE_OIDC_URL` and its neighbours, more from `TOUCHSTONE_OIDC_PROVIDERS`.

    Raises ValueError naming the variable and the field that is wrong.
    """
    found = [*single(environment), *several(environment.get(f"{PREFIX}PROVIDERS", ""))]
    keys = [provider.key for provider in found]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise ValueError(f"{PREFIX}PROVIDERS: the key {twice.pop()} is there twice")
    return tuple(found)


def single(environment: Mapping[str, str]) -> list[Provider]:
    given = {name: environment.get(PREFIX + name.upper(), "") for name in ("key", "name", "url", "id", "secret")}
    given["groups_claim"] = environment.get(f"{PREFIX}GROUPS_CLAIM", "")
    if not given["url"]:
        return []
    values: dict[str, Any] = {name: value for name, value in given.items() if value}
    for name, divider in (("DOMAINS", ","), ("SCOPES", None)):
        if listed := environment.get(PREFIX + name, ""):
            values[name.lower()] = tuple(listed.split(divider))
    if groups := environment.get(f"{PREFIX}GROUPS", ""):
        values["groups"] = as_json(f"{PREFIX}GROUPS", groups)
    if trust := environment.get(f"{PREFIX}TRUST_EMAIL", ""):
        values["trust_email"] = trust
    return [checked(PREFIX.rstrip("_"), values)]


def several(given: str) -> list[Provider]:
    """A JSON list, or the path of a file with one."""
    if not given.strip():
        return []
    name = f"{PREFIX}PROVIDERS"
    if given.lstrip()[:1] not in "[{":
        try:
            given = Path(given).read_text()
        except OSError as error:
            raise ValueError(f"{name}: neither a JSON list nor a file that can be read ({error})") from None
    listed = as_json(name, given)
    if not isinstance(listed, list):
        raise ValueError(f"{name}: must be a list of providers")
    return [checked(f"{name}[{place}]", one) for place, one in enumerate(listed)]


def as_json(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}: no JSON ({error})") from None


def checked(name: str, values: Any) -> Provider:
    try:
        return Provider.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{name}: {place or 'a provider'}: {first['msg']}") from None


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """What a claim says; where no claim is called so, dots lead into objects."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
