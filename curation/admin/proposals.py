"""What curators propose: found, read, and accepted or refused by the services' verbs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from curation.admin.lists import BigList, OnlyRead
from curation.errors import DomainError
from curation.models import Proposal, Run, User
from curation.services.curating import deciding
from curation.services.curating.deciding import MOST_NAMED, Wanted


@admin.register(Proposal)
class ProposalAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "item", "action", "cause", "score", "state", "decided_by", "created_at")
    list_filter = ("state", "action", "project")
    list_select_related = ("project", "item", "decided_by")
    search_fields = ("=run__id",)
    fields = (
        "project", "run", "item", "pair", "response", "chosen", "rejected", "action", "score", "reason", "cause",
        "state", "decided_by", "decided_at", "created_at",
    )  # fmt: skip
    actions = ("accept", "refuse", "open_again")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_proposal")

    @admin.action(description="Accept", permissions=["act"])
    def accept(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        each_run(request, queryset, deciding.accept, "accepted.")

    @admin.action(description="Refuse", permissions=["act"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        each_run(request, queryset, deciding.refuse, "refused.")

    @admin.action(description="Open again", permissions=["act"])
    def open_again(self, request: HttpRequest, queryset: QuerySet[Proposal]) -> None:
        each_run(request, queryset, deciding.reopen, "open again.")


def each_run(request: HttpRequest, rows: QuerySet[Proposal], verb: Callable[..., int], told: str) -> None:
    """Decide the chosen proposals, those of each run together; of a list that is chosen as a whole the first ones."""
    assert isinstance(request.user, User)
    by_run: defaultdict[Run, list[int]] = defaultdict(list)
    for one in rows.select_related("run__project")[:MOST_NAMED]:
        by_run[one.run].append(one.pk)
    done = 0
    for run, ids in by_run.items():
        try:
            done += verb(run, Wanted(ids=ids), user=request.user)
        except DomainError as error:
            messages.warning(request, f"{run}: {error.detail}")
    if done:
        messages.success(request, f"{done} {told}")
