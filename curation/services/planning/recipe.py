"""What a recipe is: its parameters, its stages, and which follows which. `recipes()` lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from curation.errors import Conflict
from curation.models import Plan, PlanStep, Project, Run
from curation.services.method import Params
from curation.services.running import Report

Counts = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One kind of step. It starts a run, or waits for people, or is over as soon as it begins."""

    title: str
    begin: Callable[[Plan, PlanStep], Run | None] | None = None
    """Starts its run, in the transaction that makes the step; None where there is nothing to run this time."""
    work: Callable[[Plan, PlanStep, Run, Report], Counts] | None = None
    """What its run does, where that is a run of this plan's own."""
    over: Callable[[Plan, PlanStep], bool] | None = None
    """Whether the people are done; without it nobody is waited for."""
    ended: Callable[[Plan, PlanStep], Counts] | None = None
    """Called once when it is over; what it counted. Without it the numbers of its run are told."""


@dataclass(frozen=True)
class Recipe:
    name: str
    title: str
    about: str
    paper: str
    params: type[Params]
    first: str
    stages: Mapping[str, Stage]
    following: Callable[[Plan, PlanStep], tuple[int, str] | None]
    """(plan, the step that ended): round and stage of the next one, or None at the end."""
    settle: Callable[[Project, Any], Any]
    """Puts in what is settled when a plan is started. Raises Invalid."""


def recipes() -> dict[str, Recipe]:
    """Every recipe by its name."""
    from curation.services.plans import skywork_reward_v2

    return {recipe.name: recipe for recipe in (skywork_reward_v2.RECIPE,)}


def recipe_of(plan: Plan) -> Recipe:
    """Raises Conflict for one that is no longer there."""
    found = recipes().get(plan.method)
    if found is None:
        raise Conflict(f"there is no plan {plan.method!r} any more")
    return found
