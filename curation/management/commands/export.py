"""`manage.py export SLUG NAME`: make a dataset version in the foreground and print its files."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.errors import DomainError
from curation.models import DatasetVersion, Project
from curation.services import freezing, running
from workers.writers import targets


def as_object(text: str) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError
    return found


class Command(BaseCommand):
    help = "Make a version of a dataset from what is decided or said, and print its files."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        parser.add_argument("--target", default="trl-preference", choices=[target.name for target in targets])
        parser.add_argument("--split", nargs="*", default=["train=1"], metavar="NAME=SHARE", help="train=0.9 test=0.1")
        kept = DatasetVersion.SplitBy.values
        parser.add_argument("--split-by", default="prompt", choices=kept, help="what stays together in one split")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--filter", nargs="*", default=[], metavar="FIELD=VALUE", help="annotators=people")
        parser.add_argument("--filters", type=as_object, default={}, metavar="JSON", help='such as {"labels": "raw"}')

    def handle(self, *_args: Any, slug: str, name: str, **options: Any) -> None:
        project = Project.objects.select_related("protocol").filter(slug=slug, deleted_at=None).first()
        if project is None:
            raise CommandError(f"no project {slug}")
        try:
            version = freezing.request_version(
                project=project,
                dataset_name=name,
                target=options["target"],
                filters={**options["filters"], **dict(pair.split("=", 1) for pair in options["filter"])},
                splits={split: float(share) for split, share in (pair.split("=", 1) for pair in options["split"])},
                split_by=options["split_by"],
                seed=options["seed"],
            )
        except ValueError:
            raise CommandError("--split wants NAME=SHARE and --filter FIELD=VALUE") from None
        except DomainError as error:
            raise CommandError(f"{error.field} {error.detail}".strip()) from None
        running.execute(str(version.run_id))
        running.wait(str(version.run_id))
        self.report(DatasetVersion.objects.select_related("run").get(pk=version.pk))

    def report(self, version: DatasetVersion) -> None:
        if version.state != DatasetVersion.State.READY:
            raise CommandError(version.run.error if version.run and version.run.error else "it was cancelled")
        self.stdout.write(f"{version}: {version.counts['rows']} rows, dropped {version.counts['dropped'] or 'nothing'}")
        for file in version.files.order_by("name"):
            self.stdout.write(f"  {version.folder / file.name}  {file.rows} rows  sha256 {file.sha256}")
