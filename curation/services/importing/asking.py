"""Ask for an import: keep the upload, look into it, queue a run, or do a small one at once."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.utils import timezone

from curation.errors import Invalid, NotFound
from curation.models import Project, Run, TaskKind, User
from curation.services import running
from curation.services.importing.origin import origin_from
from curation.services.importing.reading import Seen, landing
from curation.services.importing.rows import PAIRINGS, Landing
from curation.services.importing.sources import options_for, outcomes, reader_for, rows_of
from workers.rows import JudgementRow, RowError

SMALL = 1000
"""Up to so many rows are imported before the answer."""
SMALL_BYTES = 8 * 2**20
PREVIEWED = 200


UPLOADS_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file looks like before anything is written: its format, its first rows, its first problems."""

    format: str
    title: str
    rows: list[Landing]
    judgements: list[JudgementRow]
    problems: list[dict[str, Any]]
    looked_at: int
    refused: int
    whole: bool
    """Whether the file has no more rows than were looked at."""


def keep_upload(chunks: Iterable[bytes], *, user: User | None) -> uuid.UUID:
    """Store an uploaded file under a name of its own. Raises Invalid when it is too large or empty."""
    name = uuid.uuid4()
    folder = uploads(user)
    folder.mkdir(parents=True, exist_ok=True)
    forget_old(folder)
    path, size = folder / str(name), 0
    try:
        with path.open("wb") as file:
            for chunk in chunks:
                size += len(chunk)
                if size > settings.IMPORT_UPLOAD_MB * 2**20:
                    raise Invalid(f"the file is larger than {settings.IMPORT_UPLOAD_MB} MB", field="file")
                file.write(chunk)
        if not size:
            raise Invalid("the file is empty", field="file")
    except BaseException:
        path.unlink()
        raise
    return name


def uploads(user: User | None) -> Path:
    """Where the uploads of a user wait to be imported."""
    return settings.VAR_DIR / "uploads" / str(user.pk if user else 0)


def forget_old(folder: Path) -> None:
    """Remove uploads that nobody imported for a week."""
    oldest = (timezone.now() - UPLOADS_KEPT).timestamp()
    for path in folder.iterdir():
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def upload_of(name: str, *, user: User | None) -> Path:
    """The stored file of an upload. Raises NotFound for anybody else's."""
    try:
        path = uploads(user) / str(uuid.UUID(str(name)))
    except ValueError:
        raise NotFound("no such upload") from None
    if not path.is_file():
        raise NotFound("this upload is gone; choose the file again")
    return path


def preview(
    *,
    path: Path,
    format: str = "auto",
    companion: Path | None = None,
    mapping: dict[str, str] | None = None,
    pairing: str = "auto",
    kind: str = TaskKind.PREFERENCE,
    most: int = 5,
) -> Preview:
    """The format, the first rows and the first problems of a file. Raises Invalid when no format fits."""
    reader = reader_for(path, format, mapping or {})
    seen = Seen()
    rows: list[Landing] = []
    judgements: list[JudgementRow] = []
    problems: list[dict[str, Any]] = []
    looked_at = refused = 0
    ahead = outcomes(path, reader, options_for(reader, mapping or {}, companion))
    for outcome in islice(ahead, PREVIEWED):
        looked_at += 1
        try:
            row = landing(outcome, pairing, kind, seen)
        except RowError as problem:
            refused += 1
            problems.append({"line": outcome.line, "field": problem.field, "reason": problem.reason})
        else:
            if isinstance(row, JudgementRow):
                judgements.append(row)
            else:
                rows.append(row)
    whole = next(ahead, None) is None
    title = reader.title
    return Preview(reader.name, title, rows[:most], judgements[:most], problems[:10], looked_at, refused, whole)


class Options(TypedDict, total=False):
    """How a file is imported; what each is when it is not said stands at `prepare`."""

    filename: str
    format: str
    pairing: str
    mapping: dict[str, str] | None
    companion: Path | None
    move: bool
    source: str
    licence: str
    source_url: str


def request_import(*, project: Project, user: User | None, path: Path, **options: Unpack[Options]) -> Run:
    """Queue an import of the file at `path`. Raises Invalid for bad options."""
    run = prepare(path, **options)
    return running.start(project=project, method="import", params=run.params, user=user, unit="bytes", run=run)


def import_now(*, project: Project, user: User | None, path: Path, **options: Unpack[Options]) -> Run:
    """Import before returning, through the same machinery as any run. Raises Invalid for bad options."""
    run = prepare(path, **options)
    run.project, run.method, run.created_by, run.unit = project, "import", user, "bytes"
    run.code_version = settings.VERSION
    run.save(force_insert=True)
    running.started(run)
    running.execute(str(run.pk))
    run.refresh_from_db()
    return run


def prepare(
    path: Path,
    *,
    filename: str = "",
    format: str = "auto",
    pairing: str = "auto",
    mapping: dict[str, str] | None = None,
    companion: Path | None = None,
    move: bool = False,
    source: str = "",
    licence: str = "",
    source_url: str = "",
) -> Run:
    """An unsaved run with its files in its folder (copied, or moved with `move`) and its parameters checked."""
    origin = origin_from(source, licence, source_url)
    if pairing not in PAIRINGS:
        raise Invalid(f"must be one of {', '.join(PAIRINGS)}", field="pairing")
    named = mapping or {}
    reader = reader_for(path, format, named)
    if reader.needs_companion and companion is None:
        raise Invalid(f"the format {reader.name} needs its companion file", field="companion")
    for field, texts in (("filename", [filename]), ("mapping", named.values())):
        if any("\0" in text for text in texts):
            raise Invalid("holds a NUL character", field=field)
    run = Run()
    run.folder.mkdir(parents=True, exist_ok=True)
    bring(path, run.folder / "upload", move)
    if companion:
        bring(companion, run.folder / "companion", move)
    run.params = {
        "file": "upload",
        "filename": filename or path.name,
        "format": reader.name,
        "pairing": pairing,
        "mapping": named,
        "companion": "companion" if companion else "",
        **origin,
    }
    run.total = (run.folder / "upload").stat().st_size
    return run


def bring(source: Path, target: Path, move: bool) -> None:
    if move:
        os.replace(source, target)
    else:
        shutil.copyfile(source, target)


def is_small(path: Path) -> bool:
    """Whether a file has so few rows that it is imported before the answer."""
    if path.stat().st_size > SMALL_BYTES:
        return False
    return sum(1 for _ in islice(rows_of(path), SMALL + 1)) <= SMALL


def upsert_items(*, project: Project, user: User | None, items: list[Any]) -> Run:
    """Up to 1 000 items given as objects, imported before returning; the line of a problem is the place of its item."""
    if len(items) > SMALL:
        raise Invalid(f"at most {SMALL} items at a time; use import for more", field="items")
    if not items:
        raise Invalid("must hold at least one item", field="items")
    document = "[" + ",\n".join(map(json.dumps, items)) + "]"
    path = uploads(user) / str(keep_upload([document.encode()], user=user))
    return import_now(project=project, user=user, path=path, format="touchstone", filename="items", move=True)
