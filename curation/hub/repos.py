"""What a repository is here: the versions of a dataset, or those of a model; each version is one commit.

A dataset is `<project>/<dataset>`, its revisions `main` (the newest that is ready), `v1`, `v2` … and the commits. A
model of a project is `<project>/<model>`, one of everybody's `models/<model>`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.db.models import QuerySet
from django.http.request import HttpRequest

from curation.errors import NotFound
from curation.models import Dataset, DatasetVersion, ModelVersion, Project, User
from curation.services import exporting, registry
from curation.services.inspecting import made_by
from workers import references, weights
from workers.judging import Unusable

SHARED = "models"
"""The namespace of models that belong to no project."""
SERVED = (".safetensors", ".json", ".txt", ".md", ".model", ".jinja", ".jsonl", ".vocab", ".tiktoken")
"""Of a model's folder these are given out: weights that run no code, tokenizers, configurations, words."""
HEAD = "main"
LOOKED_AT = 200
"""Versions of a model among which a commit is looked for, the newest first."""


class Missing(NotFound):
    """Something is not there, or not for this caller; `code` is the client's word for which."""

    def __init__(self, detail: str, code: str) -> None:
        super().__init__(detail)
        self.code = code


def no_repo() -> Missing:
    return Missing("no such repository, or it is not yours to read", "RepoNotFound")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit."""

    path: str
    size: int
    sha256: str
    place: Path


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a repository: its files, and what is told of it."""

    kind: str
    repo: str
    sha: str
    label: str
    made_at: datetime
    tags: tuple[str, ...]
    entries: tuple[Entry, ...]

    def entry(self, path: str) -> Entry:
        for one in self.entries:
            if one.path == path:
                return one
        raise Missing(f"{path} is not in {self.repo} at {self.label}", "EntryNotFound")


def datasets_of(user: User) -> QuerySet[Dataset]:
    """Datasets that the caller may read."""
    rows = Dataset.objects.select_related("project").filter(project__in=registry.readable(user))
    return rows.filter(versions__state=DatasetVersion.State.READY).distinct()


def dataset_commit(user: User, namespace: str, name: str, revision: str) -> Commit:
    """Raises Missing, for strangers as for what is not there."""
    project = registry.readable(user).filter(slug=namespace).first()
    dataset = Dataset.objects.filter(project=project, name=name).first() if project else None
    if project is None or dataset is None:
        raise no_repo()
    ready = dataset.versions.filter(state=DatasetVersion.State.READY).order_by("-number")
    if revision == HEAD:
        found = ready.first()
    elif (number := numbered(revision)) is not None:
        found = ready.filter(number=number).first()
    else:
        found = ready.filter(hash__startswith=revision).first() if is_commit(revision) else None
    if found is None:
        raise Missing(f"{namespace}/{name} has no version {revision}", "RevisionNotFound")
    return commit_of_version(project, dataset, found)


def commit_of_version(project: Project, dataset: Dataset, version: DatasetVersion) -> Commit:
    files = [*exporting.words_of(version), *version.files.order_by("pk")]
    return Commit(
        kind="dataset",
        repo=f"{project.slug}/{dataset.name}",
        sha=version.hash[:40],
        label=f"v{version.number}",
        made_at=version.created_at,
        tags=("touchstone", version.target),
        entries=tuple(Entry(f.name, f.bytes, f.sha256, version.folder / f.name) for f in files),
    )


def labels_of(user: User, kind: str, namespace: str, name: str) -> list[tuple[str, str]]:
    """Every version of a repository with its commit, the newest first."""
    if kind == "dataset":
        commit = dataset_commit(user, namespace, name, HEAD)
        versions = DatasetVersion.objects.filter(
            dataset__project__slug=namespace, dataset__name=name, state=DatasetVersion.State.READY
        )
        found = [(f"v{n}", sha[:40]) for n, sha in versions.order_by("-number").values_list("number", "hash")]
        return [(HEAD, commit.sha), *found]
    models = list(models_called(user, namespace, name)[:LOOKED_AT])
    if not models:
        raise no_repo()
    return [(HEAD, sha_of(models[0])), *((f"v{model.number}", sha_of(model)) for model in models)]


def models_of(user: User) -> QuerySet[ModelVersion]:
    """Model versions that the caller may read and whose files lie here."""
    local = registry.visible(user).filter(state=ModelVersion.State.READY, retired_at=None)
    return (local.filter(reference__startswith="hf:/") | local.filter(reference__startswith="run:")).order_by("-pk")


def name_of(model: ModelVersion) -> str:
    return f"{model.project.slug if model.project else SHARED}/{model.name}"


def models_called(user: User, namespace: str, name: str) -> QuerySet[ModelVersion]:
    rows = models_of(user).filter(name=name)
    where = {"project": None} if namespace == SHARED else {"project__slug": namespace}
    return rows.filter(**where).order_by("-number")


def model_commit(user: User, namespace: str, name: str, revision: str) -> Commit:
    """Raises Missing; a model that is only named here (on another Hub, on a server) has no files to give."""
    versions = models_called(user, namespace, name)
    number = numbered(revision)
    if revision == HEAD:
        found = versions.first()
    elif number is not None:
        found = versions.filter(number=number).first()
    else:
        some = versions[:LOOKED_AT] if is_commit(revision) else ()
        found = next((one for one in some if sha_of(one).startswith(revision)), None)
    if found is not None:
        return commit_of_model(namespace, found)
    if not versions.exists():
        raise no_repo()
    raise Missing(f"{namespace}/{name} has no version {revision}", "RevisionNotFound")


def commit_of_model(namespace: str, model: ModelVersion) -> Commit:
    where = references.parse(model.reference)
    try:
        folder = references.folder(where, made_by(model, where)).resolve()
        found = weights.Folder(folder).sizes()
    except (Unusable, OSError):
        raise Missing("the files of this model are not on this machine", "RepoNotFound") from None
    return Commit(
        kind="model",
        repo=f"{namespace}/{model.name}",
        sha=sha_of(model),
        label=f"v{model.number}",
        made_at=model.created_at,
        tags=("touchstone", model.kind),
        entries=tuple(entries_below(folder, found.items(), code_of(model))),
    )


def code_of(model: ModelVersion) -> tuple[str, ...]:
    """Code that goes out with the weights: that of an architecture of ours, of models that were trained here."""
    ours = weights.OURS.get(model.facts.get("type", ""))
    return (ours,) if ours and model.made_by_id else ()


def entries_below(folder: Path, sizes: Iterable[tuple[str, int]], more: tuple[str, ...] = ()) -> Iterable[Entry]:
    """Files of a model's folder that are given out, by their kind or as one of `more`.

    What a link leads out of the folder, or to another kind of file, is not.
    """
    for name, size in sizes:
        place = (folder / name).resolve()
        served = (name.endswith(SERVED) and place.name.endswith(SERVED)) or name == place.name in more
        if served and place.is_relative_to(folder) and place.is_file():
            yield Entry(name, size, digest(str(place), size, place.stat().st_mtime_ns), place)


@lru_cache(maxsize=2000)
def digest(path: str, _size: int, _changed: int) -> str:
    """SHA-256 of a file; worked out anew only when its size or time changes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha_of(model: ModelVersion) -> str:
    """A model's commit: its fingerprint; with its id, since two versions may have the same weights."""
    return hashlib.sha256(f"{model.pk}:{model.fingerprint}".encode()).hexdigest()[:40]


def numbered(revision: str) -> int | None:
    """The number in `v12`."""
    digits = revision[1:]
    return int(digits) if revision[:1] == "v" and digits.isascii() and digits.isdigit() and len(digits) < 9 else None


def is_commit(revision: str) -> bool:
    return 7 <= len(revision) <= 64 and all(letter in "0123456789abcdef" for letter in revision)


def commit(request: HttpRequest, kind: str, namespace: str, name: str, revision: str) -> Commit:
    """The commit that an address names, if the caller may read it. Raises Missing."""
    assert isinstance(request.user, User)
    find = dataset_commit if kind == "dataset" else model_commit
    return find(request.user, namespace, name, revision)
