"""`python -m tests.elsewhere VERB`: what a test does on a database that is not its own."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
django.setup()


def prepare(count: int) -> str:
    """Tables, a project of `count` items, and a run that scores them; its id."""
    from django.core.management import call_command

    from tests.cast import make_project
    from tests.survivors import fill, score

    call_command("migrate", verbosity=0)
    project = make_project("elsewhere")
    fill(project, count)
    return str(score(project, "slow", items_per_shard=20).pk)


def tell(run_id: str) -> dict[str, Any]:
    """How the run stands."""
    from curation.models import Run, Shard

    run = Run.objects.get(pk=run_id)
    working = Shard.objects.filter(run=run, state="running").count()
    return {"state": run.state, "done": run.shards_done, "working": working, "error": run.error}


def check(run_id: str) -> dict[str, Any]:
    """Whether its rows are those of an undisturbed run."""
    from curation.models import Run
    from tests.sharded import counters_are_right
    from tests.survivors import scores, undisturbed

    run = Run.objects.get(pk=run_id)
    return {"same": scores(run) == undisturbed(run.home), "counters": counters_are_right(run), **tell(run_id)}


if __name__ == "__main__":
    verb, argument = sys.argv[1:]
    print(
        json.dumps(
            {
                "prepare": lambda: prepare(int(argument)),
                "tell": lambda: tell(argument),
                "check": lambda: check(argument),
            }[verb]()
        )
    )
