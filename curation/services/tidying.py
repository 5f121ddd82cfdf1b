"""What nobody needs any more, removed by the scheduler: old replies, links that are over, blobs that no version has."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from curation.models import Delivery, IdempotentReply, Invite, SignInLink
from curation.services.freezing import storing
from workers import blobs

REPLIES_KEPT = timedelta(days=7)
LINKS_KEPT = timedelta(days=30)
DELIVERIES_KEPT = timedelta(days=30)


def tidy() -> int:
    """Remove replies to repeated requests after a week, links that were over and deliveries after a month, and what
    dead workers left among the bytes of versions; how many."""
    now = timezone.now()
    over = Q(expires_at__lt=now - LINKS_KEPT)
    removed = IdempotentReply.objects.filter(created_at__lt=now - REPLIES_KEPT).delete()[0]
    removed += Delivery.objects.filter(delivered_at__lt=now - DELIVERIES_KEPT).delete()[0]
    removed += blobs.sweep(storing.root())
    return removed + SignInLink.objects.filter(over).delete()[0] + Invite.objects.filter(over).delete()[0]
