"""Figures of the scoring benchmark as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.figures import times
from benchmarks.reporting import shown, table
from benchmarks.scoring_models import CAUSAL, TITLES

BEGIN, END = "<!-- scoring: begin -->", "<!-- scoring: end -->"
WAYS = {
    "pipeline": "transformers pipeline, as it comes (a)",
    "padded": "padded batches of 32, as Trainer predicts (b)",
    "unshared": "engine, forward alone, no shared prefixes",
    "forward": "engine, forward alone (c)",
    "judge": "engine, from conversations to scores",
    "database": "engine, from database to database (d)",
}
FAST = ("bfloat16",)


def publish(told: dict[str, Any], path: Path) -> None:
    """Put the tables between the markers of a page."""
    page = path.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{report(told)}\n{END}{after}")


def report(told: dict[str, Any]) -> str:
    parts = [surroundings(told)]
    parts += [rates(name, sizes) for name, sizes in told["models"].items()]
    parts += [work(told), processes(told), aims(told), doubts(told)]
    return "\n\n".join(part for part in parts if part) + "\n"


def surroundings(told: dict[str, Any]) -> str:
    host, versions = told["machine"], told["versions"]
    formats = sorted({here["dtype"] for sizes in told["models"].values() for here in sizes.values()})
    return (
        f"Measured {told['begun']} on {host['processor']}, {host['cores']} cores, {told['threads']} threads, "
        f"{' and '.join(formats)}; torch {versions['torch']}, transformers {versions['transformers']}, "
        f"{told['database']}. The run took {told['seconds']} s."
    )


def rates(name: str, sizes: dict[str, Any]) -> str:
    """Tokens per second of each way: tokens of the texts, however many the way reads."""
    largest = sizes[max(sizes, key=int)]["per_second"]
    head = (
        f"Tokens/s, {TITLES[name]}",
        *(f"{size} pairs, {here['tokens']} tokens" for size, here in sizes.items()),
        "to (a)",
        "to (b)",
    )
    lines = [
        (
            title,
            *(here["per_second"][way] for here in sizes.values()),
            times(largest[way], largest["pipeline"]),
            times(largest[way], largest["padded"]),
        )
        for way, title in WAYS.items()
        if way in largest
    ]
    return table(head, lines)


def work(told: dict[str, Any]) -> str:
    """What was needed, what was reached of the ceiling, and how far scores lie apart."""
    lines = []
    for name, sizes in told["models"].items():
        for size, here in sizes.items():
            lines.append(
                (
                    f"{name}, {size} pairs",
                    f"{here['row_tokens'] / here['tokens']:.2f}",
                    gain(here),
                    f"{here['flops_per_second'] / 1e9:.0f}",
                    f"{here['ceiling'] / 1e9:.0f}",
                    f"{here['flops_per_second'] / here['ceiling']:.0%}",
                    f"{here['farthest']['forward']:.1e}",
                )
            )
    head = (
        "Work",
        "(P+ΣR)/(ΣP+R)",
        "Gain by sharing",
        "Useful GFLOP/s",
        "Matrix product, GFLOP/s",
        "Reached",
        "Farthest score from (b)",
    )
    return table(head, lines)


def gain(here: dict[str, Any]) -> str | None:
    """How much faster sharing made the forward, beside what the tokens allow."""
    rate = here["per_second"]
    if "unshared" not in rate:
        return None
    return f"{rate['forward'] / rate['unshared']:.2f}× of {here['tokens'] / here['row_tokens']:.2f}×"


def processes(told: dict[str, Any]) -> str:
    lines = [
        (name, shown(here["one"]), shown(here["two"]), f"{here['one'] / here['two']:.2f}×")
        for name, here in told["workers"].items()
    ]
    return table(("Worker processes of one thread", "One, s", "Two, s", "Two to one"), lines)


def aims(told: dict[str, Any]) -> str:
    """Each aim with what was measured at the largest size."""
    lines = []
    for name, sizes in told["models"].items():
        here = sizes[max(sizes, key=int)]
        rate = here["per_second"]
        to_a, to_b = rate["judge"] / rate["pipeline"], rate["judge"] / rate["padded"]
        lines.append((f"{name}: ≥ 1.8× the pipeline (a)", f"{to_a:.2f}×", met(to_a >= 1.8)))
        lines.append((f"{name}: ≥ 4× padded batches (b)", f"{to_b:.2f}×", met(to_b >= 4)))
        if name == CAUSAL:
            share = rate["forward"] / rate["unshared"] / (here["tokens"] / here["row_tokens"])
            lines.append(("causal: sharing gains ≥ 90 % of the token ratio", f"{share:.0%}", met(share >= 0.9)))
        whole = rate["database"] / rate["forward"]
        lines.append((f"{name}: database to database ≥ 85 % of the forward", f"{whole:.0%}", met(whole >= 0.85)))
        both = told["workers"][name]["one"] / told["workers"][name]["two"]
        lines.append((f"{name}: two worker processes ≥ 1.8× one", f"{both:.2f}×", met(both >= 1.8)))
    return table(("Aim", "Measured", "Met"), lines)


def met(reached: bool) -> str:
    return "yes" if reached else "**no**"


def doubts(told: dict[str, Any]) -> str:
    """What the processor cannot do, and what ran beside."""
    said = []
    if not any(here["dtype"] in FAST for sizes in told["models"].values() for here in sizes.values()):
        said.append(
            "This processor does not multiply bf16 in hardware, so everything ran in fp32, where one text at a time "
            "already comes near the matrix product: what the engine gains there is work left out, not speed of it."
        )
    note = told["surroundings"]
    if note["disturbed"]:
        said.append(f"**Other processes used {note['foreign_cores']} cores meanwhile.** Repeat this before quoting it.")
    return " ".join(said)
