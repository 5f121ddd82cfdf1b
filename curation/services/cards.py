"""The card of a dataset version: what is in it, what was left out and why, and how to load it."""

from __future__ import annotations

from curation.models import Annotation, DatasetFile, DatasetVersion, TaskKind
from workers.writers import Target, targets

WHOSE = {
    "people": "people",
    "signed-in": "people who signed in",
    "imported": "people whose answers were imported",
    "models": "models",
    "all": "people, models and programs",
}
COMPANIONS = {
    "annotations": "every annotator's standing answer",
    "critiques": "every critique of these answers as it was given: its place and quote, its labels, and what was made "
    "of a model's suggestion (rejected ones too)",
    "verdicts": "every answer to a question about a response or a part of it",
    "ranks": "the place that each response was given in each ranking",
    "lineage": "for each row of a split the item, task and annotations it came from",
}


def card(version: DatasetVersion, files: list[DatasetFile]) -> str:
    """A README with the front matter that dataset loaders read, then the facts in words and tables."""
    project, counts, target = version.dataset.project, version.counts, targets.get(version.target)
    there = {file.split for file in files}
    parts = [
        front_matter(version, target),
        f"# {project.name}: {version.dataset.name} v{version.number}",
        summary(version, target),
        table(
            ["Split", "Rows", "Share asked for"],
            [[n, str(counts["rows"][n]), f"{s:g}"] for n, s in version.splits.items()],
        ),
        f"What has the same prompt is in the same split (seed {version.seed}).",
        "## Left out",
        table(
            ["Reason", f"{target.what.capitalize()}s"],
            [[reason, str(n)] for reason, n in sorted(counts["dropped"].items())],
        )
        if counts["dropped"]
        else "Nothing.",
        "## Files",
        table(
            ["File", "Rows", "Bytes", "SHA-256"], [[f.name, str(f.rows), str(f.bytes), f"`{f.sha256}`"] for f in files]
        ),
        "\n".join(f"- `{name}`: {words}." for name, words in COMPANIONS.items() if name in there),
        "## Provenance",
        provenance(version),
        "## Load",
        "```python\nfrom datasets import load_dataset\n\n"
        f'data = load_dataset("parquet", data_files={data_files(version)})\n```',
    ]
    return "\n\n".join(parts) + "\n"


def summary(version: DatasetVersion, target: Target) -> str:
    """What the rows are, and who decided or said it."""
    rows, whose = version.counts["total"], WHOSE[version.filters["annotators"]]
    if target.source == "critiqued":
        what = {
            "answer": "for each answer on a response",
            "response": "for each response with all that was said of it",
            "item": "for each item with all that was said of its responses",
        }
        return f"{rows} rows for `{target.name}`, {what[target.per]}, by {whose}."
    if target.source == "compared":
        return f"{rows} pairs for `{target.name}`, with preferences and verdicts decided by the majority of {whose}."
    if version.dataset.project.kind == TaskKind.RANKING:
        how = "each ranking being a vote on every two of its responses"
    else:
        how = f"on the axis *{version.filters['axis']}*"
    return f"{rows} preference pairs for `{target.name}`, decided by the majority of {whose}, {how}."


def front_matter(version: DatasetVersion, target: Target) -> str:
    lines = "".join(f"\n  - split: {name}\n    path: {name}.parquet" for name in version.filled_splits)
    about = "critique" if target.source == "critiqued" else "preference"
    return f"---\nconfigs:\n- config_name: default\n  data_files:{lines}\ntags:\n- {about}\n- {version.target}\n---"


def data_files(version: DatasetVersion) -> str:
    return "{" + ", ".join(f'"{name}": "{name}.parquet"' for name in version.filled_splits) + "}"


def provenance(version: DatasetVersion) -> str:
    """Who answered, under which protocol, by when."""
    project = version.dataset.project
    upto, read = version.lineage["last_annotation"], version.lineage.get("protocol")
    answers = Annotation.objects.answers().filter(project=project, pk__lte=upto)
    kinds = answers.values_list("annotator__kind", "annotator").distinct()
    heads: dict[str, int] = {}
    for kind, _ in kinds:
        heads[kind] = heads.get(kind, 0) + 1
    protocols = sorted(set(answers.values_list("protocol__version", flat=True).distinct()))
    who = ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in sorted(heads.items())) or "nobody"
    words = f", labels read under version {read}" if read and protocols not in ([], [read]) else ""
    return (
        f"Project `{project.slug}`, protocol version {', '.join(map(str, protocols)) or '–'}{words}, answers up to "
        f"annotation {upto} by {who}. Filters: `{version.filters}`."
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
