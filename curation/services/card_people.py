"""What a card says of who answered: how labels were decided, how far the annotators agree and how right they are."""

from __future__ import annotations

from typing import Any

from curation.models import DatasetVersion

COEFFICIENTS = {
    "percent": "Equal answers",
    "alpha_nominal": "Alpha, sides",
    "alpha_ordinal": "Alpha, scale",
    "ac1": "AC1, sides",
}


def provenance(version: DatasetVersion) -> str:
    """Who answered, under which protocol, by when, and what was selected."""
    project, facts = version.dataset.project, version.facts
    upto, read = version.lineage["last_annotation"], version.lineage.get("protocol")
    asked = facts.get("protocols", [])
    words = f", labels read under version {read}" if read and asked not in ([], [read]) else ""
    rows = [row for kind, told in facts.get("annotators", {}).items() for row in annotators(kind, told)]
    helped = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in facts.get("help", {}).items())
    lines = [
        decided(facts),
        f"Project `{project.slug}`, protocol version {', '.join(map(str, asked)) or '–'}{words}, answers up to "
        f"annotation {upto}. Selection: `{selection(version)}`.",
        table(["Annotators", "Answers", "Minutes measured"], rows) if rows else "Nobody answered.",
        f"Suggestions of models: {helped}." if helped else "No suggestions of models were shown.",
    ]
    return "\n\n".join(line for line in lines if line)


def annotators(kind: str, told: dict[str, Any]) -> list[list[str]]:
    """Rows for the annotators of one kind: those who answered here, with the time that was measured of them, and those
    whose answers were imported, of which no time is known."""
    imported = told.get("imported", {"annotators": 0, "answers": 0})
    heads, answers = (told[name] - imported[name] for name in ("annotators", "answers"))
    rows = [[several(heads, kind), str(answers), f"{told['minutes']:g}" if told["minutes"] else "–"]] if heads else []
    if imported["annotators"]:
        rows.append([f"{several(imported['annotators'], kind)}, imported", str(imported["answers"]), "–"])
    return rows


def answered(told: dict[str, Any]) -> str:
    """What people answered, in a sentence: how many of it was imported, and the time that was measured of the rest."""
    n = told["annotators"]
    words = f"{several(told['answers'], 'answer')} of {n} {'person' if n == 1 else 'people'}"
    if imported := told.get("imported"):
        all_of_it = imported["answers"] == told["answers"]
        words += ", imported" if all_of_it else f", {imported['answers']} of them imported, of {imported['annotators']}"
    return f"{words}; {told['minutes']:g} minutes measured of those given here." if told["minutes"] else f"{words}."


def decided(facts: dict[str, Any]) -> str:
    """How labels were decided, where a fit did it, and how reliable it finds the annotators."""
    found = facts.get("decided_by")
    if not found:
        return ""
    if found.get("planned"):
        return (
            f"Labels are those of {found['method']} (run `{found['run']}`, seed {found['seed']}, answers up to "
            f"annotation {found['upto']}): verified by people (`how` begins with gold in the lineage), by judges "
            "(judge), or as they were imported (pool). The confidence is the share of the answers behind a label."
        )
    words = (
        f"Labels are decided by {found['method']} (run `{found['run']}`, seed {found['seed']}, answers up to "
        f"annotation {found['upto']}), except what people settled by hand. The confidence is the probability that the "
        "method gives."
    )
    return " ".join(part for part in (words, reliability(facts)) if part)


def reliability(facts: dict[str, Any]) -> str:
    """How often the fit that decided finds the annotators right, without their names."""
    told = facts.get("reliability")
    if told is None:
        return ""
    if not told["annotators"]:
        return "That fit could estimate nobody's reliability, so that is undefined."
    verb = "is" if told["annotators"] == 1 else "are"
    words = (
        f"By that fit {several(told['annotators'], 'annotator')} here {verb} right in {share(told['median'])} of "
        f"answers (median; {share(told['least'])} to {share(told['most'])})"
    )
    if told["undefined"]:
        words += f"; of {told['undefined']} more it is undefined, since nobody else answered the same"
    return f"{words}."


def known_answers(facts: dict[str, Any]) -> str:
    """How right the annotators were where the answer is known, all together."""
    told = facts.get("gold")
    if told is None:
        return ""
    if not told["answers"]:
        return "Nobody whose answers are here answered hidden gold, so accuracy on it is undefined."
    whose = f"{several(told['annotators'], 'annotator')} of these gave {several(told['answers'], 'answer')}"
    return (
        f"On hidden gold {whose}, of which {share(told['share'])} were right ({share(told['low'])} to "
        f"{share(told['high'])}, Wilson's 95 % interval over answers)."
    )


def several(n: int, kind: str) -> str:
    return f"{n} {kind}{'s' if n != 1 else ''}"


def selection(version: DatasetVersion) -> str:
    """The filters, without what is as it always is, and without ids of annotators."""
    said = dict(version.filters)
    if found := said.get("gold_score"):
        n = several(len(found["annotators"]), "annotator")
        said["gold_score"] = f"{share(found['min'])} of at least {found['of']}, then true of {n}"
    return ", ".join(f"{name}: {plain(str(value))}" for name, value in said.items()) or "everything"


def agreement(version: DatasetVersion) -> str:
    found = version.facts.get("agreement", {})
    if not found:
        return ""
    titles, told = agreed(found)
    rows = [
        [
            plain(one["axis"]),
            str(one["pairs"]),
            share(one["unanimous"] / one["pairs"] if one["pairs"] else None),
            *(f"{value} ({between})" if between else value for value, between in one["figures"]),
        ]
        for one in told
    ]
    words = (
        "Alpha is Krippendorff's: nominal over first, second, tie and both bad; ordinal over the strengths. AC1 is "
        "Gwet's, over the same four. In brackets are 95 % intervals, bootstrapped over pairs; from ten pairs on."
    )
    reasons = {why for told in found.values() for why in told.get("why", {}).values()}
    undefined = f"Undefined: {'; '.join(sorted(reasons))}." if reasons else ""
    head = table(["Axis", "Pairs with two answers", "Unanimous", *titles], rows)
    return "\n\n".join(part for part in (head, words, undefined) if part)


def agreed(found: dict[str, dict[str, Any]]) -> tuple[list[str], list[dict[str, Any]]]:
    """Titles of the figures of agreement that there are, and a row for each axis with each of them as it is written,
    and its interval."""
    names = [name for name in COEFFICIENTS if any(name in told for told in found.values())]
    rows = [
        {
            "axis": axis,
            "pairs": told["pairs"],
            "unanimous": told["unanimous"],
            "figures": [written(told, name) for name in names],
        }
        for axis, told in found.items()
    ]
    return [COEFFICIENTS[name] for name in names], rows


def agreement_beside(version: DatasetVersion) -> str:
    """Agreement on what is no preference: spans of critiques, answers to questions, rankings."""
    rows = [
        [plain(one["title"]), str(one["units"]), plain(one["figure"]), one["value"], one["between"]]
        for one in beside(version.facts.get("agreement_beside", []))
    ]
    if not rows:
        return ""
    words = (
        "Soft F1 is over characters, of all pairs of annotators who read a response; alpha is Krippendorff's, AC1 "
        "Gwet's, W and tau-b Kendall's. Intervals are 95 %, bootstrapped, from ten units on."
    )
    head = ["On", "With two annotators or more", "Agreement", "", "95 % interval"]
    return f"{table(head, rows)}\n\n{words}"


def beside(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for each figure of each label as it is written: `value` is undefined with the reason where it is."""
    return [
        {
            "title": one["title"],
            "units": one["units"],
            "figure": figured["title"],
            "value": f"undefined: {figured['why']}" if figured["value"] is None else in_words(figured, "value"),
            "between": "" if figured["low"] is None else f"{in_words(figured, 'low')} to {in_words(figured, 'high')}",
        }
        for one in found
        for figured in one["figures"]
    ]


def in_words(figured: dict[str, Any], name: str) -> str:
    return (share if figured["name"] == "percent" else figure)(figured[name])


def written(told: dict[str, Any], name: str) -> tuple[str, str]:
    """A figure and its interval, which may be empty."""
    write = share if name == "percent" else figure
    low, high = told.get("intervals", {}).get(name) or (None, None)
    return write(told.get(name)), f"{write(low)} to {write(high)}" if low is not None else ""


def share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def plain(text: str) -> str:
    """Words of others in a table of ours: one line, no column of their own, no markup."""
    one_line = " ".join(str(text).split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in one_line)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
