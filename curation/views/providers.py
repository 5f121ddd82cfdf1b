"""Sign-in by a provider: to it, and back from it. allauth speaks OpenID Connect; what follows is ours.

Every id token's signature is checked, also where it came straight from the provider, and the user info must be about
the same person. The code is bound to this browser by state and PKCE.
"""

from __future__ import annotations

import logging
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal import jwtkit
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError, AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from requests import RequestException

from curation.errors import DomainError
from curation.providers import Provider
from curation.services import identities
from curation.views.entering import let_in
from curation.views.people import LINKING, own

log = logging.getLogger("touchstone.sign-in")
PROTOCOL = "openid_connect"


class Adapter(DefaultSocialAccountAdapter):
    """What allauth asks an installation: which providers there are, and what to do when somebody is back."""

    def list_apps(
        self, request: HttpRequest | None, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Providers come from the settings alone."""
        apps = [app_of(one) for one in settings.SIGN_IN_PROVIDERS]
        return [
            app for app in apps if provider in (None, PROTOCOL, app.provider_id) and client_id in (None, app.client_id)
        ]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Here allauth's part ends: it would go on to its own users, e-mail addresses and pages."""
        raise ImmediateHttpResponse(returned(request, sociallogin))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Any,
        error: Any = None,
        exception: Any = None,
        extra_context: Any = None,
    ) -> None:
        if exception is not None:
            log.warning("sign-in with %s failed: %s: %s", provider.name, type(exception).__name__, exception)
        raise ImmediateHttpResponse(failed(request, provider.name, cancelled=error == AuthError.CANCELLED))


def app_of(provider: Provider) -> SocialApp:
    return SocialApp(
        provider=PROTOCOL,
        provider_id=provider.key,
        name=provider.name,
        client_id=provider.id,
        secret=provider.secret,
        settings={"server_url": provider.url, "scope": list(provider.scopes), "oauth_pkce_enabled": True},
    )


class SignedTokens(OpenIDConnectOAuth2Adapter):
    """allauth's, with the checks that it leaves out. Anything that is not as it must be is an OAuth2Error."""

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("provider-callback", args=[self.provider_id]))

    def get_provider(self) -> Any:
        provider = super().get_provider()
        provider.oauth2_adapter_class = SignedTokens
        return provider

    def complete_login(self, request: HttpRequest, app: SocialApp, token: Any, **kwargs: Any) -> SocialLogin:
        if not kwargs["response"].get("id_token"):
            raise OAuth2Error("the provider sent no id token")
        try:
            login = super().complete_login(request, app, token, **kwargs)
        except (KeyError, TypeError, ValueError) as error:
            raise OAuth2Error("what the provider sent cannot be read") from error
        said = login.account.extra_data
        if said["userinfo"].get("sub") != said["id_token"].get("sub"):
            raise OAuth2Error("id token and user info are about different people")
        login.claims = {**said["id_token"], **said["userinfo"]}
        login.account.extra_data = {}  # allauth would store it
        return login

    def _decode_id_token(self, app: SocialApp, id_token: str) -> dict[str, Any]:
        found: dict[str, Any] = jwtkit.verify_and_decode(
            credential=id_token,
            keys_url=self.openid_config["jwks_uri"],
            issuer=self.openid_config["issuer"],
            audience=app.client_id,
            lookup_kid=jwtkit.lookup_kid_jwk,
            verify_signature=True,
        )
        return found


@never_cache
@require_safe
def begin(request: HttpRequest, key: str) -> HttpResponse:
    """Off to the provider. With `?link=` of the account page it is linked to the account that is signed in."""
    found = identities.provider(key)
    linking = is_linking(request)
    if request.user.is_authenticated and not linking:
        return redirect("projects")
    state = {"invite": request.GET.get("invite", "")[:100], "linking": request.user.pk if linking else None}
    try:
        provider: OpenIDConnectProvider = SignedTokens(request, key).get_provider()
        return provider.redirect(request, process=AuthProcess.LOGIN, next_url=goal(request), **state)  # type: ignore[no-any-return]
    except (OAuth2Error, RequestException, KeyError, ValueError) as error:
        log.warning("sign-in with %s cannot begin: %s: %s", found.name, type(error).__name__, error)
        return failed(request, found.name)


def is_linking(request: HttpRequest) -> bool:
    """Whether the address came from the own account page: nobody else knows its secret."""
    secret = request.session.get(LINKING, "")
    return bool(secret) and request.user.is_authenticated and constant_time_compare(request.GET.get("link", ""), secret)


def goal(request: HttpRequest) -> str:
    """Where somebody wanted to go, if that is on this site."""
    target = request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if safe else reverse("projects")


@never_cache
@require_safe
def callback(request: HttpRequest, key: str) -> HttpResponse:
    """Back from the provider."""
    found = identities.provider(key)
    try:
        return OAuth2CallbackView.adapter_view(SignedTokens(request, key))(request)  # type: ignore[no-any-return]
    except (KeyError, ValueError) as error:  # of a provider's answer that is none
        log.warning("sign-in with %s failed: %s: %s", found.name, type(error).__name__, error)
        return failed(request, found.name)


def returned(request: HttpRequest, login: SocialLogin) -> HttpResponse:
    """Somebody whom the provider vouches for: in, linked to the account that asked for it, or told why not."""
    provider = identities.provider(login.account.provider)
    identity, state = identities.identity_of(provider, login.claims), login.state
    try:
        if linking := state.get("linking"):
            return linked(request, identity, linking)
        user = identities.sign_in(identity, invite=state.get("invite", ""))
    except DomainError as error:
        return failed(request, provider.name, detail=error.detail, status=error.status)
    target = state.get("next") or reverse("projects")
    return let_in(request, user, how=provider.key, goal=target, second="provider")


def linked(request: HttpRequest, identity: identities.Identity, user_id: int) -> HttpResponse:
    if request.user.pk != user_id:
        return redirect("sign-in")
    identities.link(user=own(request), identity=identity)
    messages.success(request, f"From now on {identity.provider.name} signs you in.")
    return redirect("account")


def failed(
    request: HttpRequest, name: str, *, cancelled: bool = False, detail: str = "", status: int = 502
) -> HttpResponse:
    context = {"name": name, "cancelled": cancelled, "detail": detail}
    return render(request, "people/provider_failed.html", context, status=200 if cancelled else status)


@login_required
@require_POST
def unlink(request: HttpRequest, account_id: int) -> HttpResponse:
    try:
        identities.unlink(user=own(request), account_id=account_id)
        messages.success(request, "The provider no longer signs you in.")
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
    return redirect("account")
