"""The admin: one file a stage. Its own sign-in gives way to the site's, which throttles."""

from curation.admin import (
    annotations,
    completions,
    datasets,
    decisions,
    evaluations,
    items,
    machines,
    models,
    people,
    projects,
    runs,
    site,
    tasks,
)

__all__ = [
    "annotations",
    "completions",
    "datasets",
    "decisions",
    "evaluations",
    "items",
    "machines",
    "models",
    "people",
    "projects",
    "runs",
    "site",
    "tasks",
]
