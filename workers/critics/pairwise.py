"""Which of two responses is better, on each axis; named Response 1 and 2 in an order that the caller draws.

The judge of Skywork-Reward-V2 (arXiv 2507.01352, section 3): guidelines, the pair in random order, differences first,
then the verdict. `vote` is its self-consistency over samples; here each sample also turns the order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median_low
from typing import Any

from workers.criticising import Heard, Schema, Subject, Wanted, Way, ways
from workers.critics.shapes import TEXT, one_of, shape

BOTH_BAD = "both bad"
STEPS = {1: ("better",), 2: ("better", "much better"), 3: ("slightly better", "better", "much better")}
NAMED = re.compile(r"\b(Response )([12])\b")


def outcomes(wanted: Wanted) -> list[str]:
    return ["1", "2", *(["tie"] if wanted.tie else []), *([BOTH_BAD] if wanted.both_bad else [])]


def words(wanted: Wanted, subject: Subject) -> str:
    axes = "\n".join(
        f"- “{axis['name']}”: {axis.get('question') or 'Which response is better?'}" for axis in wanted.axes
    )
    scale = ", ".join(f"{number} {told}" for number, told in enumerate(STEPS[wanted.strengths], 1))
    told = [
        "Compare the two responses. Their order is random and means nothing; neither does length by itself. First "
        "write as “differences” what sets them apart, in two to five sentences. Then decide on each axis:",
        axes,
        f"“preferred” is one of: {', '.join(outcomes(wanted))}.",
        f"“strength” says by how much: {scale}. It is 1 where neither is preferred.",
        "“confidence” is how likely you are right, in percent, from 50 (a guess) to 100.",
    ]
    return "\n\n".join(told)


def schema(wanted: Wanted, subject: Subject) -> Schema:
    one = shape(
        preferred=one_of(outcomes(wanted)),
        strength={"type": "integer", "minimum": 1, "maximum": wanted.strengths},
        confidence={"type": "integer", "minimum": 50, "maximum": 100},
    )
    return shape(differences=TEXT, axes=shape(**{axis["name"]: one for axis in wanted.axes}))


def read(wanted: Wanted, subject: Subject, answer: Any) -> Heard:
    """Preferences in stored order: negative prefers the first response."""
    told = answer["differences"].strip()
    if subject.turned:
        told = NAMED.sub(lambda named: named[1] + ("2" if named[2] == "1" else "1"), told)
    leanings = [leaning(axis["name"], answer["axes"][axis["name"]], subject.turned) for axis in wanted.axes]
    return Heard(rationale=told, preferences=leanings)


def leaning(axis: str, given: dict[str, Any], turned: bool) -> dict[str, Any]:
    preferred = given["preferred"]
    if preferred == BOTH_BAD:
        return {"axis": axis, "value": None, "both_bad": True, "probability": None}
    if preferred == "tie":
        return {"axis": axis, "value": 0, "both_bad": False, "probability": 0.5}
    second = (preferred == "2") != turned
    sure = given["confidence"] / 100
    return {
        "axis": axis,
        "value": int(given["strength"]) * (1 if second else -1),
        "both_bad": False,
        "probability": sure if second else round(1 - sure, 6),
    }


def vote(wanted: Wanted, samples: Sequence[Heard]) -> Heard:
    """One opinion out of several: on each axis the outcome of most samples, and as probability the share of votes for
    the second response, ties counting half. An axis on which the votes are split is left out, unless ties are allowed.
    """
    if len(samples) < 2:
        return samples[0] if samples else Heard()
    made = Heard(rationale="")
    for axis in wanted.axes:
        said = [one for heard in samples for one in heard.preferences if one["axis"] == axis["name"]]
        if (chosen := majority(said, wanted.tie)) is not None:
            made.preferences.append(chosen)
            made.rationale = made.rationale or spoken(samples, chosen)
    return made


def majority(said: Sequence[dict[str, Any]], tie: bool) -> dict[str, Any] | None:
    votes = Counter(side(one) for one in said)
    (first, most), *others = votes.most_common()
    compared = votes["first"] + votes["second"] + votes["tie"]
    share = (votes["second"] + votes["tie"] / 2) / compared if compared else None
    axis = said[0]["axis"]
    if others and others[0][1] == most:
        if not tie or not share or votes["first"] != votes["second"]:
            return None
        return {"axis": axis, "value": 0, "both_bad": False, "probability": share}
    if first == BOTH_BAD:
        return {"axis": axis, "value": None, "both_bad": True, "probability": None}
    value = median_low(sorted(one["value"] for one in said if side(one) == first))
    return {"axis": axis, "value": value, "both_bad": False, "probability": share}


def side(said: dict[str, Any]) -> str:
    if said["both_bad"]:
        return BOTH_BAD
    return "tie" if said["value"] == 0 else ("second" if said["value"] > 0 else "first")


def spoken(samples: Sequence[Heard], chosen: dict[str, Any]) -> str:
    """The words of the first sample that decided so."""
    for heard in samples:
        if any(one["axis"] == chosen["axis"] and side(one) == side(chosen) for one in heard.preferences):
            return heard.rationale
    return ""


def fits(wanted: Wanted) -> bool:
    return bool(wanted.axes)


ways.add(Way("pairwise", "Which of two is better", fits=fits, words=words, schema=schema, read=read, pair=True))
