"""`manage.py switch SLUG EXPORT`: a project out of the export of another annotation tool."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.errors import DomainError
from curation.management.commands.create_project import owner_named
from curation.services import switching
from workers.switching import tools


class Command(BaseCommand):
    help = "Make a project of an export of Argilla, Label Studio or doccano (a folder, a ZIP archive or a file)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("export", type=Path)
        parser.add_argument("--from", dest="tool", default="auto", choices=["auto", *(tool.name for tool in tools)])
        parser.add_argument(
            "--config", type=Path, help="Label Studio's labelling configuration, doccano's label_config"
        )
        parser.add_argument("--response-fields", default="", help="the fields that are responses, separated by commas")
        parser.add_argument("--prompt-fields", default="", help="the fields that are the prompt, separated by commas")
        parser.add_argument("--name", default="", help="by default made from the slug")
        parser.add_argument("--owner", default="", help="user name; by default the first superuser")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of it, and write nothing")

    def handle(self, *_args: Any, slug: str, export: Path, config: Path | None, **options: Any) -> None:
        for path in filter(None, (export, config)):
            if not path.exists():
                raise CommandError(f"no such file: {path}")
        asked = switching.Asked(
            path=export,
            name=export.name.encode("utf-8", "replace").decode(),
            tool=options["tool"],
            wanted=switching.wanted_from(options["prompt_fields"], options["response_fields"]),
            beside={config.name: config} if config else {},
        )
        try:
            if options["dry_run"]:
                self.tell(switching.look(asked, most=None))
                return
            self.do(asked, slug, options["name"], options["owner"])
        except DomainError as error:
            raise CommandError(f"{error.field}: {error.detail}" if error.field else error.detail) from None

    def tell(self, seen: switching.Look) -> None:
        """What would become of the export."""
        plan, counts = seen.plan, seen.counts
        self.stdout.write(f"{seen.tool.title}: one task is a {plan.kind}")
        self.stdout.write(f"  prompt: {', '.join(plan.prompts) or 'none'}; responses: {', '.join(plan.responses)}")
        for name, becomes in plan.becomes:
            self.stdout.write(f"  {name}: {becomes}")
        votes, answers = (f"{counts[name]} {name}" for name in ("votes", "answers"))
        models = f" ({counts['suggestions']} of these suggestions of models)" if counts["suggestions"] else ""
        self.stdout.write(
            f"would import {counts['items']} items, {votes}, {answers}{models}, {counts['refused']} refused"
        )
        self.refused(seen.problems, counts["refused"])
        self.left(seen.left)

    def do(self, asked: switching.Asked, slug: str, name: str, owner: str) -> None:
        words = name or slug.replace("-", " ").replace("_", " ").capitalize()
        run = switching.switch_now(asked=asked, slug=slug, name=words, user=owner_named(owner))
        if run.error:
            raise CommandError(run.error)
        result = run.result
        names = ("created", "updated", "unchanged", "rejected", "votes", "answers", "tasks")
        self.stdout.write(f"{slug}, from {run.params['format']}: " + ", ".join(f"{result[n]} {n}" for n in names))
        self.refused(result["problems"], result["rejected"])
        self.left(result["left"])
        if result["rejected"] and not any(result[name] for name in ("created", "updated", "unchanged")):
            raise CommandError("nothing landed")

    def refused(self, problems: list[dict[str, Any]], count: int) -> None:
        for problem in problems[:20]:
            where = f" {problem['field']}" if problem["field"] else ""
            self.stdout.write(f"  line {problem['line']}:{where} {problem['reason']}")
        if count > 20:
            self.stdout.write(f"  … and {count - 20} more")

    def left(self, left: Mapping[str, int]) -> None:
        if left:
            self.stdout.write("not taken over:")
        for what, count in left.items():
            self.stdout.write(f"  {count} × {what}")
