"""An earlier version's choices as the form for the next one has them, so that a line of versions goes on as begun."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.db.models import Q

from curation.models import DatasetVersion, Gold
from curation.services.filtering import Decontaminate
from curation.services.freezing import as_kept

SAME = ("axis", "annotators", "decided_by", "min_annotations", "min_confidence", "labels", "gold", "curated")
"""Filters that have a field of their own under the same name."""
AS_USUAL = {"min_margin": 0.0}


def fields_of(version: DatasetVersion) -> dict[str, Any]:
    """What the fields begin with; filters that have no field stand together, as JSON, in `further`."""
    told = {"name": version.dataset.name, "target": version.target, "seed": version.seed, "split_by": version.split_by}
    told |= shares_of(version.splits)
    given = dict(version.filters)
    for name in SAME:
        if name in given:
            told[name] = given.pop(name)
    if "gold" not in told and had_gold(version):
        told["gold"] = "include"
    for name, value in list(given.items()):
        found = READ[name](value, version) if name in READ else None
        if found is not None:
            told |= found
            del given[name]
        elif AS_USUAL.get(name) == value:
            del given[name]
    return told | ({"further": orjson.dumps(given).decode()} if given else {})


def shares_of(splits: Mapping[str, float]) -> dict[str, Any]:
    """The share of the test split, or all shares in words where there are other splits than train and test."""
    if splits == {"train": 1.0}:
        return {"test_share": 0}
    test = round(100 * splits.get("test", 0))
    usual = as_kept({"train": (100 - test) / 100, "test": test / 100})
    if 0 < test <= 90 and list(usual.items()) == list(splits.items()):
        return {"test_share": test}
    return {"shares": ", ".join(f"{name} {100 * Decimal(repr(share)):f}" for name, share in splits.items())}


def shares_from(text: str) -> dict[str, float]:
    """Shares as they are written: train 80, test 20. Raises ValueError for what cannot be read."""
    found = {}
    for part in text.split(","):
        name, _, share = part.strip().rpartition(" ")
        try:
            found[name.strip()] = float(Decimal(share) / 100)
        except InvalidOperation:
            raise ValueError(f"“{part.strip()}” is no split with its share, such as train 80.") from None
    return found


def had_gold(version: DatasetVersion) -> bool:
    """Whether there was gold when a version was asked for: it would have been left out, had that not been said."""
    there = Q(retired_at=None) | Q(retired_at__gt=version.created_at)
    project = version.dataset.project_id
    return Gold.objects.filter(there, project=project, created_at__lte=version.created_at).exists()


def read_names(name: str) -> Any:
    def read(names: list[str], _: DatasetVersion) -> dict[str, Any] | None:
        return None if any("," in one for one in names) else {name: ", ".join(names)}

    return read


def read_moment(name: str) -> Any:
    def read(moment: str, _: DatasetVersion) -> dict[str, Any] | None:
        at = datetime.fromisoformat(moment).astimezone(UTC)
        return None if at.second or at.microsecond else {name: f"{at:%Y-%m-%dT%H:%M}"}

    return read


def read_reliable(given: dict[str, Any], version: DatasetVersion) -> dict[str, Any] | None:
    """The form asks by the fit in use."""
    return {"min_reliability": given["min"]} if given["run"] == str(version.dataset.project.fit_id) else None


def read_gold_score(given: dict[str, Any], _: DatasetVersion) -> dict[str, Any]:
    """Who they are is looked up anew."""
    return {"min_gold": given["min"], "gold_of": given["of"]}


def read_where(given: list[Any], _: DatasetVersion) -> dict[str, Any]:
    return {"where": orjson.dumps(given).decode()}


def read_scores(given: list[dict[str, Any]], _: DatasetVersion) -> dict[str, Any] | None:
    return {f"score_{name}": value for name, value in given[0].items()} if len(given) == 1 else None


def read_caps(given: dict[str, Any], _: DatasetVersion) -> dict[str, Any]:
    return {"cap_prompt": given["per_prompt"], "cap_rows": given["rows"]}


def read_balance(given: dict[str, Any], _: DatasetVersion) -> dict[str, Any]:
    return {"balance_by": given["by"], "balance_most": None if given["most"] == "smallest" else given["most"]}


def read_decontaminate(given: dict[str, Any], _: DatasetVersion) -> dict[str, Any] | None:
    """The form has the sets and what is near by vectors; other thresholds than the usual ones have no field."""
    told = {name: given.get(name) for name in ("against", "embedder", "embedding")}
    if Decontaminate.model_validate(told) != Decontaminate.model_validate(given):
        return None
    near = {"keep_out_by": told["embedder"], "keep_out_near": told["embedding"]} if told["embedder"] else {}
    return {"keep_out": ", ".join(given["against"]), **near}


READ: Mapping[str, Any] = {
    "names": read_names("names"),
    "not_names": read_names("not_names"),
    "since": read_moment("since"),
    "until": read_moment("until"),
    "reliable": read_reliable,
    "gold_score": read_gold_score,
    "where": read_where,
    "scores": read_scores,
    "caps": read_caps,
    "balance": read_balance,
    "decontaminate": read_decontaminate,
}
"""How the others become fields; None: it cannot."""
