"""How long the pages and lists of a project take at its size: their first page, and one far behind it.

A time is that of the whole call over a kept connection on the loopback address, so a little more than the server's; its
CPU is what web and database spent on it, which other work on the machine changes little.
Every operation of the API whose name begins with `list_` is asked: the schema says which there are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchmarks.client import Client, Unexpected
from benchmarks.measuring import serving_seconds, spread
from benchmarks.processes import finish
from benchmarks.product import OWNER, Touchstone

CALLS = 20
KINDS = ("page", "API")
ONE_THING = ("page item", "page run", "page version", "page project")
"""Pages of one thing rather than lists: they are told, but no list's aim is theirs."""
PATIENCE = 20.0
"""Seconds after which a slow list is not asked again."""
PROJECT = "/projects/{slug}/"
PAGES = {
    "project": PROJECT,
    "items": f"{PROJECT}items/",
    "items, with critiques": f"{PROJECT}items/?critiques=1",
    "items, by name": f"{PROJECT}items/?q=row-000",
    "item": f"{PROJECT}items/{{item}}/",
    "runs": f"{PROJECT}runs/",
    "run": f"{PROJECT}runs/{{run}}/",
    "imports": f"{PROJECT}imports/",
    "schedules": f"{PROJECT}schedules/",
    "datasets": f"{PROJECT}datasets/",
    "version": f"{PROJECT}datasets/{{dataset}}/{{number}}/",
    "members": f"{PROJECT}members/",
    "webhooks": f"{PROJECT}webhooks/",
    "webhook": f"{PROJECT}webhooks/{{webhook}}/",
    "protocol versions": f"{PROJECT}protocol/versions/",
    "help of models": f"{PROJECT}help/",
    "projects": "/projects/",
    "models": "/models/",
    "tokens": "/account/tokens/",
}
"""Pages that show a list, or all that a project is; those behind a deep key are found by their name."""
DEEP_PAGES = {"items": "items", "runs": "runs", "models": "models", "webhook": "webhook page"}
NAMED = {
    "webhook_id": "webhook",
    "run_id": "run",
    "name": "dataset",
    "model_id": "model",
    "item_id": "item",
    "task_id": "task",
    "link_id": "link",
}
"""What the addresses of the API name, in the words of `filling.deep`; slug and number are the same in both."""


def measure(touchstone: Touchstone, slug: str, size: int) -> dict[str, Any]:
    """Fill the project and ask every list: p50 and p95 of each by its name, `(deep)` behind those far in."""
    deep = filled(touchstone, slug, size)
    browser, owner = signed_in(touchstone), replace(touchstone.owner, connection=None)
    places = {"slug": slug, **deep}
    name = urlsplit(touchstone.env["DATABASE_URL"]).path[1:]
    taken = partial(measured, partial(serving_seconds, touchstone.web.pid, name))
    found = {}
    for name, address in pages(deep).items():
        found[f"page {name}"] = taken(browser, address.format(**places))
    for name, address in operations(owner).items():
        found[f"API {name}"] = taken(owner, address.format(**places))
        if name in deep:
            found[f"API {name} (deep)"] = taken(owner, f"{address.format(**places)}?{deep[name]}")
    browser.close()
    owner.close()
    return found


def slowest(calls: dict[str, Any], kind: str) -> dict[str, Any]:
    """The list of a kind with the highest p95, under its name."""
    found = {name: one for name, one in calls.items() if name.startswith(kind) and name not in ONE_THING}
    name = max(found, key=lambda name: found[name]["p95_ms"])
    return {"name": name, **found[name]}


def filled(touchstone: Touchstone, slug: str, size: int) -> dict[str, str]:
    command = [sys.executable, "-m", "benchmarks.filling", slug, str(size)]
    told: dict[str, str] = orjson.loads(finish(command, log=touchstone.folder / "setup.log", env=touchstone.env))
    return told


def signed_in(touchstone: Touchstone) -> Client:
    """A browser's session of the owner."""
    command = [sys.executable, "manage.py", "sign_in_link", OWNER]
    link = finish(command, log=touchstone.folder / "setup.log", env=touchstone.env).decode()
    client = Client(touchstone.port)
    jar: SimpleCookie = SimpleCookie()
    answered = client.call("GET", f"/sign-in/{link.strip().rstrip('/').rsplit('/', 1)[-1]}/")
    answered.read()
    for cookie in answered.headers.get_all("Set-Cookie") or ():
        jar.load(cookie)
    client.headers = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}
    return client


def pages(deep: dict[str, str]) -> dict[str, str]:
    """The addresses of pages, each deep one behind its first."""
    found = {}
    for name, address in PAGES.items():
        found[name] = address
        if name in DEEP_PAGES:
            found[f"{name} (deep)"] = f"{address}?{deep[DEEP_PAGES[name]]}"
        if name == "items, with critiques":
            found[f"{name} (deep)"] = f"{address}&{deep['items']}"
    return found


def operations(owner: Client) -> dict[str, str]:
    """Every list of the API as its schema tells it: the name of the operation, and its address."""
    return lists_of(owner.json("GET", "/api/v1/schema", Accept="application/vnd.oai.openapi+json"))


def lists_of(schema: dict[str, Any]) -> dict[str, str]:
    """Of an OpenAPI schema: the name of each list and its address. Raises Unexpected where there is none."""
    found = {}
    for path, methods in schema["paths"].items():
        name = methods.get("get", {}).get("operationId", "")
        if name.startswith("list_"):
            for given, ours in NAMED.items():
                path = path.replace(f"{{{given}}}", f"{{{ours}}}")
            asked = [
                one["name"]
                for one in methods["get"].get("parameters", ())
                if one["in"] == "query" and one.get("required")
            ]
            found[name] = path + "".join(f"?{given}={{{given}}}" for given in asked)
    if not found:
        raise Unexpected("the schema of the API has no lists")
    return found


def measured(spent: Callable[[], float], client: Client, address: str) -> dict[str, Any]:
    """p50 and p95 of some calls, the first one apart, and their CPU. Raises Unexpected for what does not answer 200."""
    seconds: list[float] = []
    before = spent()
    for _ in range(CALLS + 1):
        status, content = client.exchange("GET", address)
        if status != 200:
            raise Unexpected(f"GET {address} answered {status}: {content[:200]!r}")
        seconds.append(client.seconds)
        if sum(seconds) > PATIENCE and len(seconds) > 2:
            break
    cpu_ms = round(1000 * (spent() - before) / len(seconds), 1)
    first = round(1000 * seconds[0], 2)
    return {**spread(seconds[1:]), "first_ms": first, "cpu_ms": cpu_ms, "bytes": len(content)}
