"""The admin: one file a stage. Its own sign-in gives way to the site's, which throttles."""

from curation.admin import (
    agreement,
    annotations,
    checks,
    completions,
    datasets,
    evaluations,
    gold,
    items,
    machines,
    models,
    people,
    projects,
    runs,
    sign_in,
    site,
    tasks,
)

__all__ = [
    "agreement",
    "annotations",
    "checks",
    "completions",
    "datasets",
    "evaluations",
    "gold",
    "items",
    "machines",
    "models",
    "people",
    "projects",
    "runs",
    "sign_in",
    "site",
    "tasks",
]
