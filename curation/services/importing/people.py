"""Annotators named by a file: people, models and programs who were never here."""

from __future__ import annotations

from curation.models import Annotator, Project

Who = tuple[str, str]
"""Kind and name."""
AT_ONCE = 500


def meet(project: Project, wanted: set[Who], known: dict[Who, int]) -> None:
    """Find or make annotators, all at once; their ids go into `known`."""
    new = wanted - known.keys()
    if not new:
        return
    people = [Annotator(project=project, kind=kind, name=name) for kind, name in sorted(new)]
    Annotator.objects.bulk_create(people, ignore_conflicts=True, batch_size=AT_ONCE)
    names = [name for _, name in new]
    for start in range(0, len(names), AT_ONCE):
        some = Annotator.objects.filter(project=project, name__in=names[start : start + AT_ONCE])
        known.update({(kind, name): pk for kind, name, pk in some.values_list("kind", "name", "pk")})


def known_as(kind: str, name: str) -> Who:
    """Kind and name of an annotator in a file. Names with @ belong to people with an account here."""
    return kind, (f"imported {name}" if name.startswith("@") else name)[:200]
