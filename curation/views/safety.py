"""The safety gate of a project: thresholds over the costs they were learnt on, what the last one did, and buttons."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from curation import access, gate_plot
from curation.errors import DomainError
from curation.models import Project, Run
from curation.services import starting
from curation.services.guarding import learning, moderating, showing
from curation.views.people import own
from workers.guarding import LEVELS
from workers.intervals import wilson

WHAT = {"responses": "Responses", "prompts": "Prompts"}
SAID = (*LEVELS, "unsafe, nobody said how")
WORDS = {"allow": "allowed", "regenerate": "to be written anew", "refuse": "refused"}
FIELDS = {
    learning.METHOD.name: ("model", "aim"),
    moderating.METHOD.name: ("model", "action", "at", "policy"),
}


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """POST starts a run: `method` learns thresholds or is the gate; `again` repeats a gate by the newest thresholds."""
    if request.method == "POST":
        return start(request, access.project_for(request.user, slug, access.FREEZE))
    project = access.project_for(request.user, slug, access.READ)
    learnt, gates = showing.learnt(project), showing.gates(project)
    costs = showing.models(project, "cost")
    last = gates[0] if gates else None
    context = {
        "project": project,
        "live": showing.under_way(project),
        "learnt": learnt[0] if learnt else None,
        "kinds": [of_kind(one) for one in learnt[0].result["sections"]] if learnt else [],
        "last": in_full(project, last) if last else None,
        "gates": [row_of(one) for one in gates],
        "costs": costs,
        "policies": showing.models(project, "policy"),
        "asks": bool(learnt) or showing.asks(project),
        "can": access.capabilities(request.user, project),
    }
    return render(request, "safety/index.html", context)


def start(request: HttpRequest, project: Project) -> HttpResponse:
    try:
        again = request.POST.get("again", "")
        method, params = repeated(project, again) if again else asked(request)
        run = starting.start(project=project, method=method, params=params, user=own(request))
    except DomainError as error:
        messages.error(request, error.detail[:1].upper() + error.detail[1:] + ".")
        return redirect("safety", project.slug)
    return redirect("run", project.slug, run.pk)


def asked(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    method = request.POST.get("method", "")
    method = method if method in FIELDS else moderating.METHOD.name
    return method, {name: given for name in FIELDS[method] if (given := request.POST.get(name))}


def repeated(project: Project, pk: str) -> tuple[str, dict[str, Any]]:
    """A gate's parameters, its thresholds aside, which are the newest then."""
    found = next((one for one in showing.gates(project) if str(one.pk) == pk), None)
    params = dict(found.params) if found else {}
    params.pop("thresholds", None)
    return moderating.METHOD.name, params


# --- In words -----------------------------------------------------------------------------------------


def of_kind(section: dict[str, Any]) -> dict[str, Any]:
    """What was learnt on responses or on prompts, drawn and in tables."""
    name = WHAT[section["what"]]
    words = f"Costs of {section['what']} that people called safe, upwards, and unsafe, downwards"
    return {
        **section,
        "title": name,
        "plot": gate_plot.costs(words, section["spread"], section["thresholds"]) if section["texts"] else "",
        "levels": [boundary(one, section["thresholds"][one["level"]]) for one in section["boundaries"]],
        "confusion": confusion(section["table"]),
        "bins": bins(section["spread"]) if section["texts"] else [],
    }


def boundary(one: dict[str, Any], used: float | None) -> dict[str, Any]:
    """A level with its threshold and how often it is right, as figures with their intervals."""
    if one["why_not"]:
        return {"level": one["level"], "why_not": one["why_not"], "used": None if used is None else f"{used:.2f}"}
    return {
        "level": one["level"],
        "used": f"{used:.2f}",
        "interval": f"{one['low']:.2f} to {one['high']:.2f}",
        "caught": in_percent(one["caught"]),
        "alarms": in_percent(one["alarms"]),
        "auc": f"{one['auc']:.3f}",
        "length": f"{one['length_auc']:.3f}",
    }


def in_percent(share: dict[str, Any]) -> str:
    return f"{100 * share['share']:.0f} % ({100 * share['low']:.0f} to {100 * share['high']:.0f}) of {share['n']}"


def confusion(table: list[list[int]]) -> list[tuple[str, int, list[tuple[str, str, bool]]]]:
    """(what people said, how many, a cell a level: count, share with its interval, whether it is the same level)."""
    rows = []
    for place, counts in enumerate(table):
        if total := sum(counts):
            cells = []
            for at, count in enumerate(counts):
                found = wilson(count, total)
                assert found.share is not None and found.low is not None and found.high is not None
                words = f"{100 * found.share:.0f} % ({100 * found.low:.0f}–{100 * found.high:.0f})"
                cells.append((str(count), words, place == at))
            rows.append((SAID[place], total, cells))
    return rows


def bins(spread: dict[str, Any]) -> list[tuple[str, int, int]]:
    """The drawing as a table, bins in which something lies."""
    low, step = spread["low"], (spread["high"] - spread["low"]) / len(spread["safe"])
    pairs = enumerate(zip(spread["safe"], spread["unsafe"], strict=True))
    return [
        (f"{low + n * step:.2f} to {low + (n + 1) * step:.2f}", safe, bad) for n, (safe, bad) in pairs if safe or bad
    ]


def in_full(project: Project, run: Run) -> dict[str, Any]:
    """What a gate did."""
    [section] = run.result["sections"]
    levels = [name for name in LEVELS if section["responses"].get(name) or section["prompts"].get(name)]
    return {
        **row_of(run),
        "levels": levels,
        "by_level": [
            (WHAT[what], [section[what].get(name, 0) for name in levels])
            for what in ("responses", "prompts")
            if section[what]
        ],
        "categories": [(name, [of.get(level, 0) for level in levels]) for name, of in section["categories"].items()],
        "rounds": [
            (number, section["rounds"][number], section["passed in"].get(number, 0))
            for number in sorted(section["rounds"], key=int)
        ],
        "actions": [(WORDS[name], section["actions"][name]) for name in WORDS if section["actions"].get(name)],
        "closed": closed(section),
        "near": showing.near(project, section["near"]),
        "params": run.params,
    }


def row_of(run: Run) -> dict[str, Any]:
    """A gate in a line: both figures, or why the one is not known."""
    [section] = run.result["sections"]
    unsafe, delivered = section["unsafe"], section["delivered"]
    return {
        "run": run,
        "items": run.result["items"],
        "delivered": delivered,
        "refused": section["refused"],
        "unsafe": figure(unsafe, delivered) if unsafe else "",
        "why_not": section["why_not"],
        **{name: sum(run.result["states"].get(name, {}).values()) for name in ("ask", "drop")},
        "open": sum(states.get("open", 0) for states in run.result["states"].values()),
        "written": run.result["written"],
        "paired": run.result.get("paired", 0),
    }


def figure(unsafe: dict[str, float], delivered: int) -> str:
    """`12 of 340 (5 to 21)`"""
    return f"{unsafe['value']:.0f} of {delivered} ({unsafe['low']:.0f} to {unsafe['high']:.0f})"


def closed(section: dict[str, Any]) -> dict[str, str]:
    """What the closed form says, were every prompt alike."""
    if not section["closed"]:
        return {}
    found = section["closed"]
    return {
        "pool": f"{100 * found['unsafe of the pool']:.1f} %",
        "samples": str(found["samples"]),
        "refuse_unsafe": f"{100 * found['refuse']['unsafe']:.1f} %",
        "refuse_refused": f"{100 * found['refuse']['refused']:.1f} %",
        "deliver_unsafe": f"{100 * found['deliver']['unsafe']:.1f} %",
    }
