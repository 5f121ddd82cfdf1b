"""What critics answered, word for word: where to look when answers could not be read."""

from __future__ import annotations

from django.contrib import admin

from curation.admin.lists import BigList, OnlyRead, excerpt
from curation.models import Completion


@admin.register(Completion)
class CompletionAdmin(OnlyRead, BigList):
    list_display = ("id", "model", "status", "beginning", "tokens", "tokens_out", "created_at")
    list_filter = ("status", "model")
    list_select_related = ("model",)
    search_fields = ("=id", "=prompt_hash")
    search_help_text = "A completion’s number, or the whole hash of its question"

    @admin.display(description="answer")
    def beginning(self, completion: Completion) -> str:
        return excerpt(completion.raw) or "–"
