"""A worker looks at a model before anybody uses it: method `check-model`.

What it finds is written once; a later look that finds other files makes the version unusable, for a version is never
another model than the one that gave the scores under its name.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from django.db import transaction

from curation.errors import Conflict
from curation.models import ModelVersion, Run
from curation.services.method import Method, Params
from curation.services.running import Report
from workers import references, weights
from workers.hub import Repository, Unreachable
from workers.judging import Spec, Unusable, judges
from workers.references import Reference
from workers.weights import Found

SERVER_TIMEOUT = 5.0
SERVER_MOST = 1_000_000
Log = Callable[[str], None]


class CheckParams(Params):
    model: int


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Look at the model and write what was found. A model with faults is a result, not a failure of the run."""
    version = ModelVersion.objects.select_related("made_by").get(pk=run.params["model"])
    try:
        found = look(version, report.log)
        refuse_change(version, found)
    except Unreachable as error:
        if version.state == ModelVersion.State.READY:
            raise Conflict(str(error)) from None
        problem = str(error)
    except Unusable as error:
        problem = str(error)
    else:
        problem = ""
        keep(version, found)
    version.problem = problem
    version.state = ModelVersion.State.BROKEN if problem else ModelVersion.State.READY
    if problem:
        report.log(problem)
    with transaction.atomic():
        version.save(
            update_fields=["state", "problem", "revision", "fingerprint", "licence", "card", "facts", "config"]
        )
        report.checkpoint(done=1, total=1)
    return {"model": str(version), "state": version.state, "problem": problem}


def keep(version: ModelVersion, found: Found) -> None:
    version.revision = found.revision or version.revision
    version.fingerprint, version.licence, version.card = found.fingerprint, found.licence, found.card
    version.facts = found.facts
    pinned = {one["reference"]: one["pinned"] for one in found.facts.get("with", ())}
    if members := version.config.get("members"):
        version.config["members"] = [pinned.get(member, member) for member in members]
    if reference := version.config.get("reference_model"):
        version.config["reference_model"] = pinned.get(reference, reference)


def refuse_change(version: ModelVersion, found: Found) -> None:
    if version.fingerprint and found.fingerprint != version.fingerprint:
        raise Unusable("its files are not those that were checked before; register what is there now as a new version")


def look(version: ModelVersion, log: Log) -> Found:
    """Everything known of a model. Raises Unusable, or Unreachable if nobody answered."""
    where = references.parse(version.reference)
    if where.scheme == "openai":
        return ask_server(where, str(version.config.get("key_env", "")))
    if where.scheme == "program":
        return try_program(version)
    found = look_at_weights(version, where, version.revision, version.kind, log)
    refuse_misnamed(version, found)
    if others := others_of(version):
        found.facts["with"] = [look_at_other(version, other, log) for other in others]
        told = json.dumps([found.fingerprint, *(one["fingerprint"] for one in found.facts["with"])])
        found.fingerprint = weights.sha256(told)
    return found


def others_of(version: ModelVersion) -> list[str]:
    """References to further weights in the configuration: members of an ensemble, the model it is compared with."""
    members, reference = version.config.get("members", ()), version.config.get("reference_model")
    return [*members, *([reference] if reference else ())]


def look_at_weights(version: ModelVersion, where: Reference, revision: str, kind: str, log: Log) -> Found:
    if where.local:
        folder = weights.Folder(references.folder(where, made_by(version, where)))
        return weights.inspect(folder, kind=kind, trusted_code=version.trusted_code, report=log)
    repository = Repository(where.place, revision)
    log(f"{where.place} at {repository.revision}")
    found = weights.inspect(repository, kind=kind, trusted_code=version.trusted_code, report=log)
    found.revision = repository.revision
    return found


def made_by(version: ModelVersion, where: Reference) -> str:
    """The folder of the run that a reference names; empty for others. Raises Unusable."""
    if where.scheme != "run":
        return ""
    run = Run.objects.filter(pk=where.place, state=Run.State.SUCCEEDED).first()
    if run is None or (run.project_id and run.project_id != version.project_id):
        raise Unusable(f"no run {where.place} that succeeded, or it belongs to another project")
    return str(run.folder / "model")


def look_at_other(version: ModelVersion, reference: str, log: Log) -> dict[str, Any]:
    """A member of an ensemble or the model that a policy is compared with; the same rules hold for it."""
    where = references.parse(reference)
    kind = "policy" if version.kind == ModelVersion.Kind.IMPLICIT else version.kind
    try:
        found = look_at_weights(version, where, where.extra, kind, log)
    except Unreachable:
        raise
    except Unusable as error:
        raise Unusable(f"{reference}: {error}") from None
    return {
        "reference": reference,
        "pinned": f"hf:{where.place}@{found.revision}" if found.revision else reference,
        "fingerprint": found.fingerprint,
        "licence": found.licence,
        "architecture": found.facts.get("architecture", ""),
    }


def refuse_misnamed(version: ModelVersion, found: Found) -> None:
    """Raises Unusable when names in the configuration are not as many as the outputs of the model."""
    count = len(found.facts.get("labels", ()))
    for key in ("heads", "labels"):
        names = version.config.get(key)
        if names and count and len(names) != count:
            raise Unusable(f"config names {len(names)} {key}, and the model has {count} outputs")


def try_program(version: ModelVersion) -> Found:
    """Raises Unusable naming what there is."""
    judges.get("program").open(Spec(key=version.pk, kind=version.kind, reference=version.reference))
    return Found(facts={"architecture": "a program, no model"})


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """A server that sends us elsewhere is not the one that was named."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


def ask_server(where: Reference, key_env: str) -> Found:
    """Whether an OpenAI-compatible server answers and serves the model. Raises Unreachable, Unusable."""
    headers = {"Accept": "application/json"}
    if key_env:
        if not os.environ.get(key_env):
            raise Unusable(f"the worker has no environment variable {key_env}, which should hold the server's key")
        headers["Authorization"] = f"Bearer {os.environ[key_env]}"
    request = urllib.request.Request(f"{where.place}/models", headers=headers)  # noqa: S310 - http(s), by its grammar
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=SERVER_TIMEOUT) as answer:
            told = json.loads(answer.read(SERVER_MOST))
    except urllib.error.HTTPError as error:
        words = {401: "wants a key: name its environment variable in key_env", 403: "refuses the key"}
        raise Unusable(f"{where.place} {words.get(error.code, f'answers GET /models with {error.code}')}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise Unreachable(f"{where.place} does not answer as an OpenAI-compatible server ({reason})") from None
    rows = told.get("data") if isinstance(told, dict) else None
    served = [str(row["id"]) for row in rows or () if isinstance(row, dict) and row.get("id")]
    if where.extra not in served and not where.extra.startswith("/"):
        there = ", ".join(served[:10]) or "none"
        raise Unusable(f"the server does not serve {where.extra}; it has: {there}")
    return Found(facts={"architecture": "behind a server", "served": served[:20]})


METHOD = Method(
    name="check-model",
    title="Check a model",
    about="Where its weights are, that nothing in them can run code, and whether it fits its kind.",
    params=CheckParams,
    unit="files",
    execute=execute,
    startable=False,
    needs_project=False,
)
