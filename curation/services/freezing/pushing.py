"""A version pushed to a Hub: its card, manifest, Croissant and shards in one commit, under a tag of its number.

Names of annotators stay here unless somebody lets them go: raw answers are not sent, or sent with pseudonyms.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from pydantic import Field

from curation.errors import Conflict, Invalid
from curation.models import DatasetFile, DatasetVersion, Project, Run, User
from curation.services import cards, running
from curation.services.freezing.croissant import croissant
from curation.services.freezing.making import manifest_of
from curation.services.freezing.rebuilding import version_of
from curation.services.method import Method, Params
from curation.services.running import Report
from workers.pushing import File, Push
from workers.tables import sha256
from workers.writers import targets

REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REF = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
NAMED = (("annotator", ("annotator_kind", "kind")), ("origin", ("origin_kind",)))
"""Columns of companions that name somebody, and where it stands of which kind they are."""
WATCHED = 2.0
"""Seconds after which a run is looked at again while nothing is told."""
HUB = "https://huggingface.co"


class PushParams(Params):
    dataset: str = Field(description="the dataset")
    number: int = Field(ge=1, description="the version")
    repo: str = Field(description="the repository, as namespace/name; it is made if it is not there")
    endpoint: str = Field(default="", description="one of TOUCHSTONE_HUB_ENDPOINTS; empty: the first")
    private: bool = Field(default=True, description="whether only its members see the repository")
    branch: str = Field(default="main", description="the branch that gets the commit")
    tag: str = Field(default="", description="the tag of the commit; empty: v and the number of the version")
    companions: bool = Field(default=False, description="raw answers, critiques and lineage too, under pseudonyms")
    names: bool = Field(default=False, description="annotators under their own names")


def begin(project: Project | None, params: Any, user: User | None) -> Run:
    """Check that all is there. Raises Invalid naming the wrong field, Conflict without a token."""
    assert project is not None
    version = version_of(project, params.dataset, params.number)
    checked(params, version)
    given = params.model_dump() | {"endpoint": endpoint_of(params.endpoint)}
    return running.start(project=project, method="push", params=given, user=user, unit="bytes")


def checked(params: PushParams, version: DatasetVersion) -> None:
    if not REPO.fullmatch(params.repo) or ".." in params.repo or "--" in params.repo or params.repo.endswith(".git"):
        raise Invalid("must be the name of a repository, such as my-team/preferences", field="params.repo")
    for name in ("branch", "tag"):
        given = getattr(params, name)
        if not REF.fullmatch(given) and not (name == "tag" and not given) or ".." in given:
            raise Invalid("must be letters, digits, dots, - and _", field=f"params.{name}")
    if targets.get(version.target).named and not params.names:
        words = f"the rows of {version.target} name their annotators: say names: true, or push another target"
        raise Invalid(words, field="params.names")
    endpoint_of(params.endpoint)
    if not settings.HUB_TOKEN:
        raise Conflict("there is no token to push with: set TOUCHSTONE_HUB_TOKEN")


def endpoint_of(given: str) -> str:
    """The endpoint that is meant. Raises Invalid for one that an administrator did not allow."""
    allowed = endpoints()
    found = given.rstrip("/") or next(iter(allowed), "")
    if found not in allowed:
        words = f"must be one of those in TOUCHSTONE_HUB_ENDPOINTS: {', '.join(allowed) or 'none'}"
        raise Invalid(words, field="params.endpoint")
    return found


def endpoints() -> list[str]:
    """Where may be pushed to."""
    return [one.rstrip("/") for one in settings.HUB_ENDPOINTS]


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Write what goes along, then push all; the version keeps where it went."""
    params = PushParams.model_validate(run.params)
    version = version_of(run.home, params.dataset, params.number)
    checked(params, version)
    folder = run.folder / "push"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        push = Push(
            endpoint=endpoint_of(params.endpoint),
            token=settings.HUB_TOKEN,
            repo=params.repo,
            files=files_of(version, params, folder),
            private=params.private,
            branch=params.branch,
            tag=params.tag or f"v{version.number}",
            message=f"{cards.title(version)}, {version.hash[:12]}",
            allowed=[urlsplit(one).netloc for one in endpoints()],
        )
        result = carried(push, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    keep(version, push, result, run)
    return {"repo": push.repo, "endpoint": push.endpoint, "branch": push.branch, "files": len(push.files), **result}


def keep(version: DatasetVersion, push: Push, result: dict[str, Any], run: Run) -> None:
    """Note on the version where it went; by place, so that the same place is there once."""
    place = f"{push.endpoint}/datasets/{push.repo}@{push.branch}"
    told = {"repo": push.repo, "branch": push.branch, "at": timezone.now().isoformat(), "run": str(run.pk)}
    told |= {name: result[name] for name in ("commit", "commit_url", "tag")}
    with transaction.atomic():
        row = DatasetVersion.objects.select_for_update().get(pk=version.pk)
        row.pushed = {**row.pushed, place: told}
        row.save(update_fields=["pushed"])


def files_of(version: DatasetVersion, params: PushParams, folder: Path) -> list[File]:
    """The Parquet (and tab-separated values) of every split with rows, companions where asked, and the words."""
    kept = [file for file in version.files.order_by("pk") if file.rows and not file.name.endswith(".jsonl")]
    splits = [file for file in kept if file.split in version.splits]
    beside = [file for file in kept if file.split not in version.splits] if params.companions else []
    hidden = not params.names
    places = {file.name: version.folder / file.name for file in [*splits, *beside]}
    sent = list(splits)
    for file in beside:
        if hidden:
            places[file.name] = folder / file.name
            veil(version, version.folder / file.name, places[file.name])
            file = again(file, places[file.name])
        sent.append(file)
    told = veiled(version) if hidden else version
    url = f"{endpoint_of(params.endpoint)}/datasets/{params.repo}"
    texts = {
        "README.md": cards.card(told, sent, repo=params.repo).encode(),
        "manifest.json": manifest_of(told, sent),
        "croissant.json": orjson.dumps(croissant(told, sent, url), option=orjson.OPT_INDENT_2),
    }
    made = [File(one.name, str(places[one.name]), one.sha256, one.bytes) for one in sent]
    for name, text in texts.items():
        (folder / name).write_bytes(text)
        made.append(File(name, str(folder / name), hashlib.sha256(text).hexdigest(), len(text)))
    return made


def again(file: DatasetFile, path: Path) -> DatasetFile:
    """A file as it is described when its bytes are others."""
    made = copy.copy(file)
    made.bytes, made.sha256 = path.stat().st_size, sha256(path)
    return made


def pseudonym(project: Project, name: str) -> str:
    """Always the same for one name in one project, and not to be undone without this installation's secret key."""
    said = f"{project.pk}:{name}".encode()
    return f"person-{hmac.new(settings.SECRET_KEY.encode(), said, hashlib.sha256).hexdigest()[:12]}"


def veil(version: DatasetVersion, source: Path, path: Path) -> None:
    """A companion with pseudonyms for people; its row groups as they are."""
    table, project = pq.ParquetFile(source), version.dataset.project
    with pq.ParquetWriter(path, table.schema_arrow, compression="zstd", compression_level=1) as writer:
        for group in range(table.num_row_groups):
            rows = table.read_row_group(group)
            for column, kinds in NAMED:
                kind = next((one for one in kinds if one in rows.column_names), "")
                if column in rows.column_names and kind:
                    both = zip(rows[column].to_pylist(), rows[kind].to_pylist(), strict=True)
                    names = [pseudonym(project, name) if name and who == "person" else name for name, who in both]
                    rows = rows.set_column(rows.column_names.index(column), column, pa.array(names, pa.string()))
            writer.write_table(rows)


def veiled(version: DatasetVersion) -> DatasetVersion:
    """The version as its card and manifest tell of it, where its selection names annotators."""
    made = copy.copy(version)
    made.filters = {
        name: [pseudonym(version.dataset.project, one) for one in value] if name in ("names", "not_names") else value
        for name, value in version.filters.items()
    }
    return made


def carried(push: Push, report: Report) -> dict[str, Any]:
    """Push in a process that ends with this one, whatever ends it. Raises Conflict in the words of the Hub."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.pushing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=settings.BASE_DIR,
        env=environment(push),
    )
    assert process.stdin is not None
    try:
        process.stdin.write(orjson.dumps(asdict(push), option=orjson.OPT_APPEND_NEWLINE))
        process.stdin.flush()
        for told in lines_of(process, report):
            if "result" in told:
                return dict(told["result"])
            if "refused" in told:
                raise Conflict(without(push.token, told["refused"]))
            if "said" in told:
                report.log(without(push.token, told["said"]))
            else:
                report.checkpoint(done=told["done"], total=told["total"])
        raise Conflict("the push broke off without a word; try again")
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]


def lines_of(process: subprocess.Popen[bytes], report: Report) -> Iterator[dict[str, Any]]:
    """What the process tells. While it tells nothing, the run is asked now and then whether it should go on."""
    told: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        with suppress(ValueError):
            for line in process.stdout:
                told.put(line)
        told.put(b"")

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = told.get(timeout=WATCHED)
        except queue.Empty:
            report.checkpoint(done=report.run.done)
            continue
        if not line:
            return
        yield orjson.loads(line)


def environment(push: Push) -> dict[str, str]:
    """Without what is set for reading models (another token, another endpoint, that there is no network).

    Only huggingface.co is known to take uploads by Xet; all take them by LFS.
    """
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    kept = {name: os.environ[name] for name in ("HF_HOME",) if name in os.environ}
    xet = {} if push.endpoint == HUB else {"HF_HUB_DISABLE_XET": "1"}
    quiet = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_IMPLICIT_TOKEN")
    return {**mine, **kept, **xet, **dict.fromkeys(quiet, "1")}


def without(token: str, words: str) -> str:
    """Words of others, should they hold the token."""
    return words.replace(token, "…") if token else words


METHOD = Method(
    name="push",
    title="Push a dataset version to a Hub",
    about="Its card, manifest, Croissant and shards in one commit with a tag; raw answers only when asked.",
    params=PushParams,
    unit="bytes",
    execute=execute,
    begin=begin,
)
