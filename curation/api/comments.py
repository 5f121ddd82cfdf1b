"""Comments beside items over the API, and what others wrote to the caller."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.pages import CURSOR, LIMIT, LIMITED, MOST, number
from curation.models import Comment, Mention
from curation.services import browsing, commenting
from curation.services.commenting import Written


class CommentShape(serializers.Serializer):
    id = fields.Whole()
    item = fields.Whole(source="item_id")
    author = fields.Text(source="author.username")
    reply_to = fields.Whole(source="reply_to_id", allow_null=True)
    text = fields.Text()
    created_at = serializers.DateTimeField()


class NewComment(serializers.Serializer):
    text = fields.Text(max_length=commenting.LONGEST)
    reply_to = fields.Whole(required=False, allow_null=True, min_value=1, max_value=2**63 - 1)


class CommentList(serializers.Serializer):
    results = CommentShape(many=True)


class WrittenShape(CommentShape):
    told = serializers.ListField(child=fields.Text(), help_text="who finds it in their inbox")
    untold = serializers.ListField(child=fields.Text(), help_text="names that are nobody's, or of who may not read it")


class MentionShape(serializers.Serializer):
    id = fields.Whole()
    project = fields.Slug(source="comment.project.slug")
    comment = CommentShape()
    read = fields.Flag()


class InboxPage(serializers.Serializer):
    results = MentionShape(many=True)
    next = fields.Text(allow_null=True)


class ReadShape(serializers.Serializer):
    read = fields.Whole()


def shown(comment: Comment) -> dict[str, Any]:
    return dict(CommentShape(comment).data)


def written(made: Written) -> Reply:
    told = {"told": [one.username for one in made.told], "untold": made.untold}
    return Reply(shown(made.comment) | told, status=201)


class ItemCommentsView(APIView):
    """Comments on an item, for those who read answers."""

    @extend_schema(operation_id="list_comments", responses=CommentList)
    def get(self, request: Request, slug: str, item_id: int) -> Reply:
        item = browsing.item_of(access.project_for(request.user, slug, access.READ), item_id)
        return Reply({"results": [shown(one) for one in commenting.on(item, caller(request))]})

    @extend_schema(operation_id="write_comment", request=NewComment, responses={201: WrittenShape})
    def post(self, request: Request, slug: str, item_id: int) -> Reply:
        item = browsing.item_of(access.project_for(request.user, slug, access.READ), item_id)
        body = NewComment(data=request.data)
        body.is_valid(raise_exception=True)
        return written(commenting.write(item=item, user=caller(request), **body.validated_data))


class TaskCommentsView(APIView):
    """Comments on the item of a task that is or was in the caller's hands: the own, and replies to them."""

    @extend_schema(operation_id="list_task_comments", responses=CommentList)
    def get(self, request: Request, task_id: int) -> Reply:
        _, item = commenting.item_for(caller(request), task_id)
        return Reply({"results": [shown(one) for one in commenting.on(item, caller(request))]})

    @extend_schema(operation_id="write_task_comment", request=NewComment, responses={201: WrittenShape})
    def post(self, request: Request, task_id: int) -> Reply:
        _, item = commenting.item_for(caller(request), task_id)
        body = NewComment(data=request.data)
        body.is_valid(raise_exception=True)
        return written(commenting.write(item=item, user=caller(request), **body.validated_data))


class CommentView(APIView):
    """One comment, taken out of sight."""

    @extend_schema(operation_id="delete_comment", responses={204: None})
    def delete(self, request: Request, slug: str, comment_id: int) -> Reply:
        project = access.project_for(request.user, slug, access.SEE)
        commenting.remove(project=project, user=caller(request), comment_id=comment_id)
        return Reply(status=204)


class InboxView(APIView):
    """What others wrote to the caller, the latest first; POST marks all of it as read."""

    @extend_schema(operation_id="inbox", parameters=[CURSOR, LIMITED], responses=InboxPage)
    def get(self, request: Request) -> Reply:
        limit = max(1, number(request, "limit", LIMIT, most=MOST))
        rows, following = commenting.inbox(caller(request), number(request, "cursor", 0), limit)
        return Reply({"results": [mention(one) for one in rows], "next": following and str(following)})

    @extend_schema(operation_id="read_inbox", request=None, responses=ReadShape)
    def post(self, request: Request) -> Reply:
        return Reply({"read": commenting.read(caller(request))})


def mention(row: Mention) -> dict[str, Any]:
    told = {"id": row.pk, "comment": row.comment, "read": row.read_at is not None}
    return dict(MentionShape(told).data)
