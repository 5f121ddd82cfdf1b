"""A version as Croissant JSON-LD: its files with their checksums, its columns, and who annotated it.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html (1.0), with the RAI vocabulary for annotation
(https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html).
"""

from __future__ import annotations

from typing import Any

from curation import address
from curation.models import DatasetFile, DatasetVersion
from curation.services.card_people import answered
from curation.services.cards import KNOWN, WHOSE, licences_of, parquet_of, shard_pattern, title
from curation.services.freezing.selecting import target_of

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
FORMATS = {"parquet": "application/x-parquet", "jsonl": "application/jsonlines", "tsv": "text/tab-separated-values"}
NOT_TOLD = {"@type": "sc:CreativeWork", "name": "not told by every source"}
"""What stands for a licence that nobody knows: the specification wants one."""
KINDS = {"bool": "sc:Boolean", "int64": "sc:Integer", "double": "sc:Float"}


def croissant(version: DatasetVersion, files: list[DatasetFile], url: str = "") -> dict[str, Any]:
    """The document that goes along as `croissant.json`. `url` is where it lies, if that is not its page here."""
    data = parquet_of(version, files)
    place = url or page_of(version)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": f"{version.dataset.project.slug}-{version.dataset.name}",
        "description": f"{title(version)}: {version.counts['total']} rows for {version.target}.",
        "version": f"{version.number}.0.0",
        "datePublished": version.created_at.date().isoformat(),
        "license": [licence(name) for name in licences_of(version)] or [NOT_TOLD],
        "creator": {"@type": "sc:Organization", "name": version.dataset.project.name},
        **({"url": place} if place else {}),
        "citeAs": f"{title(version)}, SHA-256 {version.hash}",
        **annotation_of(version),
        "distribution": [
            *(file_object(file) for file in files),
            *(file_set(split, found) for split, found in data.items() if len(found) > 1),
        ],
        "recordSet": [record_set(version, split, found) for split, found in data.items()],
    }


def page_of(version: DatasetVersion) -> str:
    """The address of its page, or nothing where others would not find it under any that is known."""
    here = address.public()
    path = f"/projects/{version.dataset.project.slug}/datasets/{version.dataset.name}/{version.number}/"
    return f"{here}{path}" if here else ""


def licence(name: str) -> Any:
    """A licence as an address, where SPDX has it, else as a work of that name."""
    known = KNOWN.get(name.lower())
    return f"https://spdx.org/licenses/{known}.html" if known else {"@type": "sc:CreativeWork", "name": name}


def annotation_of(version: DatasetVersion) -> dict[str, Any]:
    """Who annotated, how, and with which tools: the part of RAI that tells of annotation."""
    kinds = version.facts.get("annotators", {})
    people = kinds.get("person")
    machines = [f"{n['annotators']} of kind {kind}" for kind, n in kinds.items() if kind != "person"]
    agreed = "; ".join(
        [
            f"{axis}: alpha {told['alpha_nominal'] if told['alpha_nominal'] is not None else 'undefined'}"
            f" over {told['pairs']} pairs"
            for axis, told in version.facts.get("agreement", {}).items()
        ]
        + [
            f"{one['title']}: {one['figures'][0]['title']} "
            f"{'undefined' if one['figures'][0]['value'] is None else one['figures'][0]['value']} over {one['units']}"
            for one in version.facts.get("agreement_beside", [])
        ]
    )
    return {
        "rai:dataCollection": "Prompts and responses were imported; the sources stand in the card.",
        "rai:dataAnnotationPlatform": "Touchstone",
        "rai:dataAnnotationProtocol": (
            f"Protocol version {', '.join(map(str, version.facts.get('protocols', []))) or 'none'}; decided by "
            f"{WHOSE[version.filters['annotators']]}. {answered(people) if people else 'No person answered.'}"
        ),
        "rai:dataAnnotationAnalysis": agreed or "No agreement can be told.",
        "rai:annotatorDemographics": "Not recorded.",
        "rai:machineAnnotationTools": machines or ["none"],
    }


def file_object(file: DatasetFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name,
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": FORMATS.get(file.name.rpartition(".")[2], "application/octet-stream"),
        "sha256": file.sha256,
    }


def file_set(split: str, files: list[DatasetFile]) -> dict[str, Any]:
    """The shards of a split."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-shards",
        "name": f"{split}-shards",
        "includes": shard_pattern(split, len(files)),
        "encodingFormat": FORMATS["parquet"],
    }


def record_set(version: DatasetVersion, split: str, files: list[DatasetFile]) -> dict[str, Any]:
    """The rows of a split; conversations are one field, a list of objects."""
    place = {"fileObject": {"@id": files[0].name}} if len(files) == 1 else {"fileSet": {"@id": f"{split}-shards"}}
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": f"Rows of the split {split}.",
        "field": [field(split, place, column.name, column.type) for column in target_of(version).schema()],
    }


def field(record_set: str, place: dict[str, Any], column: str, kind: Any) -> dict[str, Any]:
    """One column; a list of objects, such as a conversation, with a field for each of their parts."""
    import pyarrow as pa

    made: dict[str, Any] = {"@type": "cr:Field", "@id": f"{record_set}/{column}", "name": column}
    source = {**place, "extract": {"column": column}}
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        parts = [
            {
                "@type": "cr:Field",
                "@id": f"{record_set}/{column}/{part.name}",
                "name": part.name,
                "dataType": KINDS.get(str(part.type), "sc:Text"),
                "source": source | {"transform": {"jsonPath": part.name}},
            }
            for part in kind.value_type
        ]
        return made | {"repeated": True, "subField": parts}
    repeated = {"repeated": True} if pa.types.is_list(kind) else {}
    return made | {"dataType": KINDS.get(str(kind), "sc:Text"), "source": source} | repeated
