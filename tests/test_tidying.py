"""What is over is removed in time, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from curation.models import IdempotentReply, Invite, SignInLink
from curation.services import people, tidying
from tests.cast import Cast


def test_old_replies_and_links_go_and_live_ones_stay(cast: Cast) -> None:
    for days in (0, 8):
        made = timezone.now() - timedelta(days=days)
        IdempotentReply.objects.create(user=cast.ann, key=str(days), created_at=made)
    for _ in range(2):
        people.make_sign_in_link(user=cast.ann)
        people.make_invite(project=cast.project, by=cast.olga, role="viewer")
    long_ago = timezone.now() - timedelta(days=31)
    for table in (SignInLink, Invite):
        first = table.objects.order_by("pk").first()
        assert first is not None
        table.objects.filter(pk=first.pk).update(expires_at=long_ago)
    assert tidying.tidy() == 3
    assert [IdempotentReply.objects.get().key, SignInLink.objects.count(), Invite.objects.count()] == ["0", 1, 1]
