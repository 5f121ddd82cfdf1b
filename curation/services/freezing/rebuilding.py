"""A version checked: its files against their digests, and against what the database makes of the same selection now."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from django.utils import timezone
from pydantic import Field

from curation.errors import Invalid
from curation.models import DatasetFile, DatasetVersion, Item, Project, Run, User
from curation.services import running
from curation.services.freezing import making, storing
from curation.services.freezing.companions import write_companions
from curation.services.freezing.members import Members
from curation.services.freezing.selecting import past_of
from curation.services.freezing.walking import sorting_on_disk
from curation.services.method import Method, Params
from curation.services.running import Report

NAMED = 20
"""Items that are named in the words about a difference."""


class VerifyParams(Params):
    dataset: str = Field(description="the dataset")
    number: int = Field(ge=1, description="the version")
    rebuild: bool = Field(default=True, description="make it anew from the database, besides reading its files")


def begin(project: Project | None, params: Any, user: User | None) -> Run:
    assert project is not None
    version_of(project, params.dataset, params.number)
    return running.start(project=project, method="verify", params=params.model_dump(), user=user, unit="files")


def version_of(project: Project, name: str, number: int) -> DatasetVersion:
    """Raises Invalid when there is no such version, Conflict when it is not ready."""
    versions = DatasetVersion.objects.select_related("dataset__project__protocol")
    found = versions.filter(dataset__project=project, dataset__name=name, number=number).first()
    if found is None:
        raise Invalid(f"there is no {name} v{number}", field="params.number")
    return making.ready(found)


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Read every file, then make all of them again beside; what differs is named. The version keeps the result."""
    version = version_of(run.home, run.params["dataset"], run.params["number"])
    files = list(DatasetFile.objects.filter(version=version).order_by("pk"))
    damaged = [words for n, file in enumerate(files) if (words := damage(version, file, report, n, len(files)))]
    damaged += [f"{name}: its shards are not what they were together" for name in version.wholes if torn(version, name)]
    report.checkpoint(done=len(files), total=len(files))
    if manifest_hash(version) != version.hash:
        damaged.append("manifest.json is not the one that the hash was taken over")
    result: dict[str, Any] = {"files": len(files), "files_ok": not damaged, "damaged": damaged}
    if run.params["rebuild"]:
        result |= rebuilt(version, files, run, report)
    version.verified = {**result, "at": timezone.now().isoformat(), "run": str(run.pk)}
    version.save(update_fields=["verified"])
    return result


def damage(version: DatasetVersion, file: DatasetFile, report: Report, n: int, total: int) -> str:
    """What is wrong with a file on the disk; empty when it is as it was made."""
    from workers.tables import sha256

    report.checkpoint(done=n, total=total)
    path = version.folder / file.name
    if not path.is_file():
        return f"{file.name} is missing"
    if path.stat().st_size != file.bytes:
        return f"{file.name} has {path.stat().st_size} bytes, not {file.bytes}"
    return "" if sha256(path) == file.sha256 else f"{file.name} has other bytes than it had"


def torn(version: DatasetVersion, name: str) -> bool:
    """Whether the shards of a split put together are another file than they were; a damaged shard alone is named."""
    told = version.wholes[name]
    try:
        return storing.measured(storing.stretches(version.folder, name)) != (told["bytes"], told["sha256"])
    except (OSError, ValueError):
        return True


def manifest_hash(version: DatasetVersion) -> str:
    path = version.folder / "manifest.json"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def rebuilt(version: DatasetVersion, files: list[DatasetFile], run: Run, report: Report) -> dict[str, Any]:
    """The same selection made again in a folder of the run; whether every file has the bytes it had."""
    folder = run.folder / "rebuilt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        made = remade(version, folder, report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    before = {file.name: file.sha256 for file in files}
    names = sorted({*before, *made})
    differing = [name for name in names if before.get(name) != made.get(name)]
    told = {"rebuilt": True, "same": not differing, "differing": differing}
    if past_of(version).last is None:
        told["items_as_now"] = True
    return told | ({"changed_items": changed_items(version)} if differing else {})


def remade(version: DatasetVersion, folder: Path, report: Report) -> dict[str, str]:
    digests: dict[str, str] = {}
    with sorting_on_disk():
        counts = making.write_splits(version, folder, report, Members(), digests)
        counts |= write_companions(version, folder, digests)
    return {file.name: file.sha256 for file in making.describe(version, folder, counts, digests)}


def changed_items(version: DatasetVersion) -> list[str]:
    """Items of the project that were put away or corrected since the version was made; the first of them."""
    gone = Item.objects.filter(project=version.dataset.project, deleted_at__gt=version.created_at)
    since = Item.objects.filter(changes__project=version.dataset.project, changes__created_at__gt=version.created_at)
    names = [*gone.values_list("external_id", flat=True)[:NAMED], *since.values_list("external_id", flat=True)[:NAMED]]
    return list(dict.fromkeys(names))[:NAMED]


METHOD = Method(
    name="verify",
    title="Check a dataset version",
    about="Reads its files against their digests, and makes it again from the database to see that it is the same.",
    params=VerifyParams,
    execute=execute,
    begin=begin,
)
