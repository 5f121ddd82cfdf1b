"""`manage.py import_data SLUG FILE`: import a file in the foreground and print the report."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.errors import DomainError
from curation.models import Project
from curation.services import importing
from curation.services.importing.rows import PAIRINGS


class Command(BaseCommand):
    help = "Import a file of pairs into a project (JSONL, JSON, CSV, Parquet; gzip allowed)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", default="auto")
        parser.add_argument("--companion", type=Path, help="file of texts that the rows name by id")
        parser.add_argument("--pairing", default="auto", choices=PAIRINGS, help="which responses of an item to compare")
        parser.add_argument("--map", nargs="*", default=[], metavar="ROLE=COLUMN", help="prompt=question response_a=…")
        parser.add_argument(
            "--source", default="", help="what the items come from, such as the name of a published set"
        )
        parser.add_argument("--licence", default="", help="of the source, such as CC-BY-4.0")
        parser.add_argument("--source-url", default="", help="where the source is found")

    def handle(self, *_args: Any, slug: str, file: Path, **options: Any) -> None:
        project = Project.objects.select_related("protocol").filter(slug=slug, deleted_at=None).first()
        if project is None:
            raise CommandError(f"no project {slug}; make one with: manage.py create_project {slug}")
        for path in filter(None, (file, options["companion"])):
            if not path.is_file():
                raise CommandError(f"no such file: {path}")
        try:
            run = importing.import_now(
                project=project,
                user=None,
                path=file,
                filename=file.name.encode("utf-8", "replace").decode(),
                format=options["format"],
                companion=options["companion"],
                pairing=options["pairing"],
                mapping=importing.mapping_from(options["map"]),
                source=options["source"],
                licence=options["licence"],
                source_url=options["source_url"],
            )
        except DomainError as error:
            raise CommandError(f"{error.field}: {error.detail}" if error.field else error.detail) from None
        self.report(run.result, run.error)

    def report(self, result: dict[str, Any], error: str) -> None:
        if error:
            raise CommandError(error)
        names = ("created", "updated", "unchanged", "rejected", "votes", "tasks")
        self.stdout.write(f"format {result['format']}: " + ", ".join(f"{result[name]} {name}" for name in names))
        for problem in result["problems"][:20]:
            where = f" {problem['field']}" if problem["field"] else ""
            self.stdout.write(f"  line {problem['line']}:{where} {problem['reason']}")
        if result["rejected"] > 20:
            self.stdout.write(f"  … and {result['rejected'] - 20} more")
        if result["rejected"] and not any(result[name] for name in ("created", "updated", "unchanged", "votes")):
            raise CommandError("nothing landed")
