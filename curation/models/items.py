"""What is judged: items (prompts), their responses, and the pairs to compare."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Source(models.Model):
    """Where items came from: a published set, a product, a team. Its licence reaches the card of every version."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="sources")
    name = models.CharField(max_length=200)
    licence = models.CharField(max_length=100, blank=True, help_text="an SPDX id where it has one, such as CC-BY-4.0")
    url = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="source_name_once")]

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    """A prompt: a conversation that ends where the responses begin."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="items", db_index=False)
    external_id = models.CharField(max_length=200)
    prompt = models.JSONField(help_text="list of {role, content}")
    context = models.JSONField(default=dict, blank=True, help_text="documents, reference answer, tests")
    metadata = models.JSONField(default=dict, blank=True)
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    prompt_hash = models.CharField(max_length=32, help_text="equal prompts share it, and so share a split")
    content_hash = models.CharField(
        max_length=32, help_text="of the whole imported row; unchanged rows are skipped by it"
    )
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "external_id"], name="item_external_id_once")]
        indexes = [models.Index(fields=["project", "id"], name="item_by_project")]

    def __str__(self) -> str:
        return self.external_id


class Response(models.Model):
    """One candidate continuation of an item. Its text never changes: a changed text is another response."""

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="responses", db_index=False)
    position = models.PositiveSmallIntegerField(help_text="order in the import; never shown")
    text = models.TextField(help_text="the source string that offsets refer to")
    messages = models.JSONField(null=True, blank=True, help_text="when it has more than one message")
    model = models.CharField(max_length=200, blank=True, help_text="who wrote it; hidden from annotators")
    metadata = models.JSONField(default=dict, blank=True)
    unit = models.CharField(
        max_length=8, blank=True, db_default="", help_text="what `units` are, where an import gave boundaries"
    )
    units = models.JSONField(
        null=True, blank=True, help_text="[start, end) of each sentence or step, in code points of the text"
    )
    text_hash = models.CharField(max_length=32)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "position"], name="response_position_once"),
            models.CheckConstraint(condition=~Q(text=""), name="response_not_empty"),
        ]
        indexes = [models.Index(fields=["unit", "item"], condition=~Q(unit=""), name="response_in_units")]

    def __str__(self) -> str:
        return f"{self.item_id}/{self.position}"

    def as_messages(self) -> list[dict[str, Any]]:
        return self.messages or [{"role": "assistant", "content": self.text}]


class Pair(models.Model):
    """Two responses to one item, to be compared. `first` is the older response."""

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="pairs")
    first = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+", db_index=False)
    second = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="pair_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="pair_in_order"),
        ]

    def __str__(self) -> str:
        return f"pair {self.pk}"


class Change(models.Model):
    """What became of an item after it was first imported: the versions that hold it are told, and can be made anew.

    `before` is what the item was: prompt, context, metadata, prompt_hash and source_id; the places of its live
    `responses` and of those put `away`, and its live `pairs`, by id. So a version is made again as it was.
    """

    class Kind(models.TextChoices):
        CORRECTED = "corrected", "Corrected"
        DELETED = "deleted", "Deleted"
        RESTORED = "restored", "Restored"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="changes")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="changes", db_index=False)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    fields = models.JSONField(default=list, help_text="what was corrected: prompt, responses, …")
    before = models.JSONField(default=dict)
    reason = models.CharField(max_length=300, blank=True)
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, null=True, related_name="+")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["project", "id"], name="change_by_project"),
            models.Index(fields=["item", "id"], name="change_by_item"),
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.kind}"
