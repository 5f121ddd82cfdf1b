"""The card of a dataset version: what is in it, what was left out and why, who says so, and how to load it.

The front matter is the Hub's (https://huggingface.co/docs/hub/datasets-cards), written by PyYAML, since names are
anybody's.
"""

from __future__ import annotations

from typing import Any

import yaml

from curation.models import DatasetFile, DatasetVersion, ModelVersion, TaskKind
from curation.services.bias import telling as reports
from curation.services.card_people import agreement, agreement_beside, known_answers, plain, provenance, share, table
from workers.writers import Target, targets

WHOSE = {
    "people": "people",
    "signed-in": "people who signed in",
    "imported": "people whose answers were imported",
    "models": "models",
    "all": "people, models and programs",
}
COMPANIONS = {
    "annotations": "every annotator's standing answer; behind them, with `repeat_of` filled, what people said when "
    "they were asked again with the sides swapped, which counts as no answer",
    "critiques": "every critique of these answers as it was given: its place and quote, its labels, and what was made "
    "of a model's suggestion (rejected ones too)",
    "verdicts": "every answer to a question about a response or a part of it",
    "ranks": "the place that each response was given in each ranking",
    "proposals": "what was accepted of the proposals that this version follows: what was flipped, dropped or kept, by "
    "which run, with the reason",
    "lineage": "for each row of a split the item, task and annotations it came from",
}
GOLD = {
    "exclude": "Prompts with gold, whose answers check annotators and models, are left out of all splits, so that what "
    "learns from this can be tested on them. The files of single answers hold those on gold too.",
    "only": "Only prompts with gold are here, by which annotators and models are checked: not to learn from.",
    "include": "Prompts with gold, by which annotators and models are checked, are among these.",
}
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
PLAIN = {"string": "string", "bool": "bool", "int64": "int64", "double": "float64"}
KNOWN = {
    "apache-2.0": "Apache-2.0", "mit": "MIT", "cc-by-4.0": "CC-BY-4.0", "cc-by-3.0": "CC-BY-3.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0", "cc-by-sa-3.0": "CC-BY-SA-3.0", "cc0-1.0": "CC0-1.0",
    "cc-by-nc-4.0": "CC-BY-NC-4.0", "cc-by-nc-sa-4.0": "CC-BY-NC-SA-4.0", "odc-by": "ODC-By-1.0",
    "bsd-3-clause": "BSD-3-Clause", "cdla-permissive-2.0": "CDLA-Permissive-2.0", "pddl": "PDDL-1.0",
    "odbl": "ODbL-1.0", "openrail": "",
}  # fmt: skip
"""Licences that the Hub has a word for, others being `other` to it, and what they are called on
https://spdx.org/licenses/ where they stand there."""


def card(version: DatasetVersion, files: list[DatasetFile], repo: str = "") -> str:
    """A README with the front matter that dataset loaders read, then the facts in words and tables.

    `repo` is the repository of another Hub where it lies with these files of it.
    """
    counts, target = version.counts, targets.get(version.target)
    there = {file.split for file in files}
    parts = [
        front_matter(version, target, files),
        f"# {plain(title(version))}",
        summary(version, target),
        table(
            ["Split", "Rows", "Share asked for"],
            [[n, str(counts["rows"][n]), f"{s:g}"] for n, s in version.splits.items()],
        ),
        f"What has the same {together(version)} is in the same split (seed {version.seed}).",
        "## Left out",
        table(
            ["Reason", f"{target.what.capitalize()}s"],
            [[reason, str(n)] for reason, n in sorted(counts["dropped"].items())],
        )
        if counts["dropped"]
        else "Nothing.",
        decontaminated(version, target),
        GOLD.get(version.filters.get("gold", ""), ""),
        "## Who says so",
        provenance(version),
        agreement(version),
        agreement_beside(version),
        known_answers(version.facts),
        bias(version) if repo else "",
        "## Sources",
        sources(version),
        "## Read before it was offered",
        checks(version),
        "## Files",
        table(
            ["File", "Rows", "Bytes", "SHA-256"], [[f.name, str(f.rows), str(f.bytes), f"`{f.sha256}`"] for f in files]
        ),
        "\n".join(f"- `{name}`: {words}." for name, words in COMPANIONS.items() if name in there),
        "## Load",
        loading_from(version, repo) if repo else loading(version),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def decontaminated(version: DatasetVersion, target: Target) -> str:
    """Against what it was checked, and how; empty where nobody asked for it."""
    asked = version.filters.get("decontaminate")
    if not asked:
        return ""
    sets = version.facts.get("decontaminated", [])
    embedder = plain(str(ModelVersion.objects.get(pk=asked["embedder"]))) if asked.get("embedder") else ""
    ways = [
        f"{asked['ngram']} words in a row in common with it" if asked["ngram"] else "",
        f"{asked['containment']:g} of its runs of five words" if asked["containment"] else "",
        f"a likeness of {asked['minhash']:g} by MinHash" if asked["minhash"] else "",
        f"a vector with a cosine of {asked['embedding']:g} to that of it, by {embedder}" if embedder else "",
    ]
    words = f"Left out is what has the words of a protected prompt, or {', or '.join(way for way in ways if way)}."
    if embedder:
        words += " A prompt without a vector is compared by its words alone."
    near = [[str(one["left_out_by_vectors"])] if embedder else [] for one in sets]
    rows = [
        [plain(one["name"]), str(one["texts"]), str(one["left_out"]), *by_vectors, f"`{one['sha256'][:16]}`"]
        for one, by_vectors in zip(sets, near, strict=True)
    ]
    more = ["… by vectors alone"] if embedder else []
    head = ["Kept out", "Prompts", f"{target.what.capitalize()}s left out", *more, "SHA-256"]
    if not rows:
        return f"{words} There was no evaluation split of an earlier version to check against."
    return f"{words}\n\n{table(head, rows)}"


def title(version: DatasetVersion) -> str:
    """Its name in one line."""
    return " ".join(f"{version.dataset.project.name}: {version.dataset.name} v{version.number}".split())


def together(version: DatasetVersion) -> str:
    """What stays in one split, in words."""
    words = {"prompt": "prompt", "item": "item", "cluster": "nearly the same prompt", "source": "source"}
    return words[version.split_by]


def summary(version: DatasetVersion, target: Target) -> str:
    """What the rows are, and who decided or said it."""
    rows, whose = version.counts["total"], WHOSE[version.filters["annotators"]]
    if target.source == "answered":
        return f"{rows} rows for `{target.name}`, each a whole answer as it was given, by {whose}."
    if target.source == "critiqued":
        what = {
            "answer": "for each answer on a response",
            "response": "for each response with all that was said of it",
            "item": "for each item with all that was said of its responses",
        }
        return f"{rows} rows for `{target.name}`, {what[target.per]}, by {whose}."
    if target.source == "compared":
        how = "a fit to the answers" if version.facts.get("decided_by") else "the majority"
        return f"{rows} pairs for `{target.name}`, with preferences and verdicts decided by {how} of {whose}."
    if version.dataset.project.kind == TaskKind.RANKING:
        how = "each ranking being a vote on every two of its responses"
    else:
        how = f"on the axis *{version.filters['axis']}*"
    if version.filters.get("labels") == "raw":
        return f"{rows} preferences for `{target.name}`, each as one of {whose} gave it, {how}."
    return f"{rows} preference pairs for `{target.name}`, decided by the majority of {whose}, {how}."


def front_matter(version: DatasetVersion, target: Target, files: list[DatasetFile]) -> str:
    about = "critique" if target.source in ("critiqued", "answered") else "preference"
    data = [
        {"split": split, "path": some[0].name if len(some) == 1 else shard_pattern(split, len(some))}
        for split, some in parquet_of(version, files).items()
    ]
    licence = licence_of(version)
    told: dict[str, Any] = {
        "pretty_name": title(version),
        "configs": [{"config_name": "default", "data_files": data}],
        "dataset_info": {"features": features(target), "splits": split_sizes(version, files)},
        "size_categories": [next((name for most, name in SIZES if version.counts["total"] < most), "n>10M")],
        "annotations_creators": creators(version),
        "tags": ["touchstone", "human-feedback", "rlhf", about, version.target],
    }
    if licence:
        known = licence.lower() in KNOWN
        told |= {"license": licence.lower()} if known else {"license": "other", "license_name": licence}
    return f"---\n{yaml.safe_dump(told, sort_keys=False, allow_unicode=True)}---"


def parquet_of(version: DatasetVersion, files: list[DatasetFile]) -> dict[str, list[DatasetFile]]:
    """The Parquet files of each split that has rows, in the order in which loaders give the splits: as they were asked
    for, `train` first, since not every database keeps the order of names in JSON."""
    splits = sorted(version.filled_splits, key=lambda split: split != "train")
    return {split: [one for one in files if one.split == split and one.name.endswith(".parquet")] for split in splits}


def shard_pattern(split: str, count: int) -> str:
    """The pattern that all shards of a split fit, and those of no other split."""
    return f"{split}-?????-of-{count:05d}.parquet"


def split_sizes(version: DatasetVersion, files: list[DatasetFile]) -> list[dict[str, Any]]:
    sizes: dict[str, int] = {}
    for file in files:
        if file.name.endswith(".parquet"):
            sizes[file.split] = sizes.get(file.split, 0) + file.bytes
    rows = version.counts["rows"]
    return [{"name": name, "num_bytes": sizes[name], "num_examples": rows[name]} for name in version.filled_splits]


def features(target: Target) -> list[dict[str, Any]]:
    """The columns as `datasets` writes its features down."""
    return [feature(field.name, field.type) for field in target.schema()]


def feature(name: str, kind: Any) -> dict[str, Any]:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return {"name": name, "struct": [feature(field.name, field.type) for field in kind]}
    if pa.types.is_list(kind):
        inner = kind.value_type
        if pa.types.is_struct(inner):
            return {"name": name, "list": [feature(field.name, field.type) for field in inner]}
        if pa.types.is_list(inner):
            return {"name": name, "list": {"list": PLAIN[str(inner.value_type)]}}
        return {"name": name, "list": PLAIN[str(inner)]}
    return {"name": name, "dtype": PLAIN[str(kind)]}


def creators(version: DatasetVersion) -> list[str]:
    """In the Hub's words, as far as it is known: guests came by a crowd link; what others know of the matter, or who
    it was whose answers were imported, nobody told, which is `other`."""
    kinds = version.facts.get("annotators", {})
    people = kinds.get("person", {"annotators": 0})
    guests = people.get("guests", {"annotators": 0})["annotators"]
    found = {
        "crowdsourced": guests,
        "other": people["annotators"] > guests,
        "machine-generated": "model" in kinds,
    }
    return [word for word, true in found.items() if true] or ["no-annotation"]


def licence_of(version: DatasetVersion) -> str:
    """The licence of the sources where they all have the same one; of several all their names; empty: not known."""
    return " AND ".join(licences_of(version))


def licences_of(version: DatasetVersion) -> list[str]:
    """The licences of the sources, each once; none where one source does not tell its own."""
    named = [source["licence"] for source in version.facts.get("sources", [])]
    return sorted(set(named)) if all(named) else []


def bias(version: DatasetVersion) -> str:
    """What its preferences go by, in short, where a report was made: later than the version, so in no file of it."""
    found = reports.latest(version.dataset.project, version)
    if found is None:
        return ""
    rows = [
        [plain(f"{row['signal']}: {row['name']}"), share(row["share"]), f"{share(row['low'])} to {share(row['high'])}",
         str(row["n"])]
        for row in reports.in_short(found)
    ]  # fmt: skip
    words = "How often the response with a property is chosen where the other has it not; one half is no pull."
    head = ["What", "Chosen in", "95 % interval", "Of"]
    return f"## Bias\n\n{words}\n\n{table(head, rows) if rows else 'Nothing speaks of it.'}"


def sources(version: DatasetVersion) -> str:
    rows = [
        [plain(one["name"]) or "not named", plain(one["licence"]) or "not told", plain(one["url"]), str(one["items"])]
        for one in version.facts.get("sources", [])
    ]
    return table(["Source", "Licence", "Address", "Items in the project"], rows) if rows else "No items."


def checks(version: DatasetVersion) -> str:
    words = {True: "reads it", False: "refuses it", None: "was not asked"}
    rows = [[one["consumer"], plain(one["version"]), words[one["ok"]], plain(one["detail"])] for one in version.checks]
    return table(["Consumer", "Version", "", "What it said"], rows) if rows else "Nobody was asked."


def loading(version: DatasetVersion) -> str:
    slug, name, number = version.dataset.project.slug, version.dataset.name, version.number
    code = f'from datasets import load_dataset\n\ndata = load_dataset("{slug}/{name}", revision="v{number}")'
    return (
        "With `HF_ENDPOINT` at `/hub` of this Touchstone and a token of yours in `HF_TOKEN`:\n\n"
        f"```python\n{code}\n```\n\n"
        'Or out of this folder: `load_dataset(".")`. The files are also on the version\'s page, in `touchstone-client`,'
        f" and under `/api/v1/projects/{slug}/datasets/{name}/versions/{number}/files/`."
    )


def loading_from(version: DatasetVersion, repo: str) -> str:
    code = f'from datasets import load_dataset\n\ndata = load_dataset("{repo}", revision="v{version.number}")'
    return (
        f"```python\n{code}\n```\n\n"
        f"Made with Touchstone, where its SHA-256 is `{version.hash}`. The digests of the files here are in "
        "`manifest.json`."
    )
