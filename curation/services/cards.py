"""The card of a dataset version: what is in it, what was left out and why, and how to load it."""

from __future__ import annotations

from curation.models import Annotation, DatasetFile, DatasetVersion

WHOSE = {
    "people": "people",
    "signed-in": "people who signed in",
    "imported": "people whose votes were imported",
    "models": "models",
    "all": "people, models and programs",
}


def card(version: DatasetVersion, files: list[DatasetFile]) -> str:
    """A README with the front matter that dataset loaders read, then the facts in words and tables."""
    project, counts = version.dataset.project, version.counts
    parts = [
        front_matter(version),
        f"# {project.name}: {version.dataset.name} v{version.number}",
        f"{counts['total']} preference pairs for `{version.target}`, decided by the majority of "
        f"{WHOSE[version.filters['annotators']]} on the axis *{version.filters['axis']}*.",
        table(
            ["Split", "Rows", "Share asked for"],
            [[n, str(counts["rows"][n]), f"{s:g}"] for n, s in version.splits.items()],
        ),
        f"Pairs with the same prompt are in the same split (seed {version.seed}).",
        "## Left out",
        table(["Reason", "Pairs"], [[reason, str(n)] for reason, n in sorted(counts["dropped"].items())])
        if counts["dropped"]
        else "Nothing.",
        "## Files",
        table(
            ["File", "Rows", "Bytes", "SHA-256"], [[f.name, str(f.rows), str(f.bytes), f"`{f.sha256}`"] for f in files]
        ),
        "`annotations` holds every annotator's standing answer; `lineage` says for each row of a split from which "
        "item, pair and annotations it came.",
        "## Provenance",
        provenance(version),
        "## Load",
        "```python\nfrom datasets import load_dataset\n\n"
        f'data = load_dataset("parquet", data_files={data_files(version)})\n```',
    ]
    return "\n\n".join(parts) + "\n"


def front_matter(version: DatasetVersion) -> str:
    lines = "".join(f"\n  - split: {name}\n    path: {name}.parquet" for name in version.filled_splits)
    return f"---\nconfigs:\n- config_name: default\n  data_files:{lines}\ntags:\n- preference\n- {version.target}\n---"


def data_files(version: DatasetVersion) -> str:
    return "{" + ", ".join(f'"{name}": "{name}.parquet"' for name in version.filled_splits) + "}"


def provenance(version: DatasetVersion) -> str:
    """Who answered, under which protocol, by when."""
    project = version.dataset.project
    upto = version.lineage["last_annotation"]
    answers = Annotation.objects.answers().filter(project=project, pk__lte=upto)
    kinds = answers.values_list("annotator__kind", "annotator").distinct()
    heads: dict[str, int] = {}
    for kind, _ in kinds:
        heads[kind] = heads.get(kind, 0) + 1
    protocols = sorted(set(answers.values_list("protocol__version", flat=True).distinct()))
    who = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in sorted(heads.items())) or "nobody"
    return (
        f"Project `{project.slug}`, protocol version {', '.join(map(str, protocols)) or '–'}, answers up to annotation "
        f"{upto} by {who}. Filters: `{version.filters}`."
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
