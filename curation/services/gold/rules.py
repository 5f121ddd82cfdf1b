"""How a project asks its gold, and what follows from it: one JSON column, checked here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.errors import Invalid
from curation.models import Progress, Project
from curation.services.gold.counters import begin_anew
from workers.gold import Strictness

HIGHEST_RATE = 50


class GoldRules(BaseModel):
    """All shares are percent, as people say them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: int = Field(default=0, ge=0, le=HIGHEST_RATE, description="of each hundred tasks so many are hidden gold")
    pause_below: int = Field(
        default=0, ge=0, le=100, description="pause whoever is, with 95 % confidence, right on less than this; 0: never"
    )
    pause_after: int = Field(default=10, ge=5, le=1000, description="nobody is paused with fewer gold answers")
    training: int = Field(default=0, ge=0, le=100, description="gold that a new annotator answers first")
    pass_share: int = Field(default=80, ge=0, le=100, description="of these so many must be right")
    tries: int = Field(default=2, ge=1, le=10, description="rounds of training before a pause")
    spans: int = Field(default=50, ge=1, le=100, description="overlap (soft F1) from which marked text is right")
    ranks: int = Field(default=80, ge=1, le=100, description="share of pairs in order from which a ranking is right")

    @property
    def strict(self) -> Strictness:
        return Strictness(self.spans / 100, self.ranks / 100)


@lru_cache(maxsize=256)
def rules_from(text: str) -> GoldRules:
    """As the database has them. What a later version added has its usual value."""
    return GoldRules.model_validate_json(text)


def rules_of(project: Project) -> GoldRules:
    return GoldRules.model_validate(project.gold)


@transaction.atomic
def change_rules(*, project: Project, changes: Mapping[str, Any]) -> GoldRules:
    """Change what is given. Whoever has answered anything needs no training that begins now. Raises Invalid."""
    locked = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=project.pk)
    before = rules_of(locked)
    try:
        after = GoldRules.model_validate({**before.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(first["msg"], field=str(first["loc"][0])) from None
    everybody = Progress.objects.filter(project=locked)
    if after.training and not before.training:
        everybody.filter(trained_at=None).exclude(done=0).update(trained_at=timezone.now())
    if after.rate != before.rate:
        begin_anew(everybody)
    usual = GoldRules()
    locked.gold = {name: value for name, value in after.model_dump().items() if value != getattr(usual, name)}
    locked.save(update_fields=["gold"])
    project.gold = locked.gold
    return after
