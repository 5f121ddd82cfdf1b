"""An OpenID Connect provider that is one: discovery, keys, a page that asks who you are, signed tokens, user info.

Served over HTTP on a port of its own. What it says of people and how it errs is set from the test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "touchstone", "a secret of the provider"
PAGE = """<!doctype html><html lang="en"><title>Provider</title><form method="post">
<label>Who are you? <input name="login" autofocus></label><button>Go on</button>
<button name="deny" value="1">No</button></form></html>"""


@dataclass
class Provider:
    """Its people by login, each with their claims; and what it gets wrong, by name."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    wrong: str = ""
    audience: str = CLIENT
    url: str = ""
    asked: list[str] = field(default_factory=list)
    codes: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorise",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def keys(self) -> dict[str, Any]:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": "k1", "alg": "RS256", "use": "sig"}]}

    def code_for(self, login: str, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe(16)
        self.codes[code] = (login, asked)
        return code

    def redeem(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """What a code is worth: once, for the client with its secret, from whoever knows the verifier."""
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        login, asked = self.codes.pop(form.get("code", ""), ("", {}))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            not login
            or authorization != f"Basic {basic}"
            or form.get("redirect_uri") != asked["redirect_uri"]
            or challenge.decode().rstrip("=") != asked["code_challenge"]
        ):
            return None
        access = secrets.token_urlsafe(16)
        self.tokens[access] = login
        token = {"access_token": access, "token_type": "Bearer", "expires_in": 60, "id_token": self.id_token(login)}
        if self.wrong == "no id token":
            del token["id_token"]
        return token

    def id_token(self, login: str) -> str:
        now = int(time.time())
        claims = {
            "iss": "https://evil.example" if self.wrong == "issuer" else self.url,
            "aud": "somebody-else" if self.wrong == "audience" else self.audience,
            "sub": login,
            "iat": now - 7200 if self.wrong == "expired" else now,
            "exp": now - 3600 if self.wrong == "expired" else now + 300,
            **self.people[login].get("in_token", {}),
        }
        key = self.other if self.wrong == "signature" else self.key
        if self.wrong == "unsigned":
            return jwt.encode(claims, None, algorithm="none", headers={"kid": "k1"})
        if self.wrong == "shared key":
            return jwt.encode(claims, "a secret that anybody may have written down", "HS256", headers={"kid": "k1"})
        kid = "k9" if self.wrong == "key" else "k1"
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": kid})

    def userinfo(self, access: str) -> dict[str, Any] | None:
        login = self.tokens.get(access, "")
        if not login:
            return None
        said = {name: value for name, value in self.people[login].items() if name != "in_token"}
        return {"sub": "another" if self.wrong == "subject" else login, **said}


def serve(provider: Provider) -> ThreadingHTTPServer:
    """Start serving; `shutdown()` and `server_close()` end it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            provider.asked.append(path)
            if provider.wrong == "down":
                return self.answer(503, {})
            if path == "/.well-known/openid-configuration":
                return self.answer(200, provider.discovery())
            if path == "/keys":
                return self.answer(200, provider.keys())
            if path == "/userinfo":
                found = provider.userinfo(self.headers.get("Authorization", "").removeprefix("Bearer "))
                return self.answer(200 if found else 401, found or {})
            if path == "/authorise":
                return self.page()
            return self.answer(404, {})

        def do_POST(self) -> None:
            path, body = urlsplit(self.path).path, self.rfile.read(int(self.headers.get("Content-Length", 0)))
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            if path == "/token":
                found = provider.redeem(form, self.headers.get("Authorization", ""))
                return self.answer(200 if found else 400, found or {"error": "invalid_grant"})
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            back = {"error": "access_denied"}
            if "deny" not in form and form.get("login") in provider.people:
                back = {"code": provider.code_for(form["login"], asked)}
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({**back, 'state': asked['state']})}")
            self.end_headers()

        def page(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def answer(self, status: int, found: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
