"""Queues, groups and annotators of a project over the API: who works on what, and who is paused."""

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
from curation.api.etags import conditional, guarded, tagged
from curation.api.idempotency import idempotent
from curation.api.pages import page
from curation.errors import NotFound
from curation.models import Annotator, Group, Queue, Scope, Task
from curation.services import accepting, browsing, grouping, pausing, queues
from curation.services.gold import checking


def ids(help_text: str) -> serializers.ListField:
    child = fields.Whole(min_value=1, max_value=2**63 - 1)
    return serializers.ListField(child=child, max_length=5000, required=False, help_text=help_text)


class GroupShape(serializers.Serializer):
    id = fields.Whole()
    name = fields.Text()
    about = fields.Text()
    members = serializers.ListField(child=fields.Whole(), help_text="annotators")
    created_at = serializers.DateTimeField()


class ChangedGroup(serializers.Serializer):
    name = fields.Text(required=False, max_length=80)
    about = fields.Text(required=False, allow_blank=True, max_length=300)
    members = ids("annotators, by id")


class NewGroup(ChangedGroup):
    name = fields.Text(max_length=80)


class QueueShape(serializers.Serializer):
    id = fields.Whole()
    name = fields.Text()
    about = fields.Text()
    overlap = fields.Whole(allow_null=True, help_text="null: as in the project")
    cap = fields.Whole(allow_null=True, help_text="most answers while undecided; null: as in the project")
    priority = fields.Whole()
    deadline = serializers.DateTimeField(allow_null=True)
    quota = fields.Whole(allow_null=True, help_text="most answers of one person")
    groups = serializers.ListField(child=fields.Whole(), help_text="for whom, with `people`; neither: everybody")
    people = serializers.ListField(child=fields.Whole(), help_text="annotators")
    skill = fields.Whole(allow_null=True, help_text="only for those who are in this group as well")
    paused = fields.Flag()
    tasks = fields.Whole()
    complete = fields.Whole()
    answers = fields.Whole()
    created_at = serializers.DateTimeField()


class ChangedQueue(serializers.Serializer):
    name = fields.Text(required=False, max_length=120)
    about = fields.Text(required=False, allow_blank=True, max_length=500)
    overlap = fields.Whole(required=False, allow_null=True, min_value=1, max_value=50)
    cap = fields.Whole(required=False, allow_null=True, min_value=1, max_value=50)
    priority = fields.Whole(required=False, min_value=-1000, max_value=1000)
    deadline = fields.Moment(required=False, allow_null=True)
    quota = fields.Whole(required=False, allow_null=True, min_value=1, max_value=2**31 - 1)
    groups = ids("groups, by id")
    people = ids("annotators, by id")
    skill = fields.Whole(required=False, allow_null=True, min_value=1, max_value=2**63 - 1)
    paused = fields.Flag(required=False)


class NewQueue(ChangedQueue):
    name = fields.Text(max_length=120)


class MovedShape(serializers.Serializer):
    moved = fields.Whole()


class TaskIds(serializers.Serializer):
    tasks = serializers.ListField(child=fields.Whole(min_value=1, max_value=2**63 - 1), max_length=10_000)


class ItemOverlap(serializers.Serializer):
    overlap = fields.Whole(min_value=1, max_value=50)


class ChangedTasks(serializers.Serializer):
    changed = fields.Whole()


class AnnotatorShape(serializers.Serializer):
    id = fields.Whole()
    kind = fields.Text(help_text="person, model or program")
    name = fields.Text()
    paused = fields.Flag()
    paused_reason = fields.Text()
    reliability = fields.Real(allow_null=True, help_text="how often this annotator is right, as last estimated")
    done = fields.Whole()
    skipped = fields.Whole()
    active_ms = fields.Whole()
    accepted = fields.Whole(help_text="answers that a reviewer accepted")
    fixed = fields.Whole()
    returned = fields.Whole(help_text="to the same person, or given to another")


class PauseShape(serializers.Serializer):
    reason = fields.Text(max_length=500, allow_blank=True, help_text="shown to the person")


def group_shown(group: Group) -> dict[str, Any]:
    members = list(group.members.order_by("pk").values_list("pk", flat=True))
    told = {name: getattr(group, name) for name in ("name", "about", "created_at")}
    return dict(GroupShape({"id": group.pk, "members": members, **told}).data)


def queue_shown(queue: Queue) -> dict[str, Any]:
    counts = queues.counts([queue])[queue.pk]
    told = {
        "id": queue.pk,
        "groups": list(queue.groups.order_by("pk").values_list("pk", flat=True)),
        "people": list(queue.people.order_by("pk").values_list("pk", flat=True)),
        "skill": queue.skill_id,
        "paused": queue.paused_at is not None,
        "tasks": queue.task_count,
        "complete": counts.complete,
        "answers": counts.answers,
        "created_at": queue.created_at,
    }
    return dict(QueueShape(told | {name: getattr(queue, name) for name in queues.FIELDS}).data)


def annotator_shown(annotator: Annotator) -> dict[str, Any]:
    progress = getattr(annotator, "progress", None)
    counted = ("done", "skipped", "active_ms", "accepted", "fixed", "returned")
    told = {name: getattr(progress, name, 0) for name in counted}
    kept = {name: getattr(annotator, name) for name in ("kind", "paused_reason", "reliability")}
    name = annotator.user.username if annotator.user else annotator.name
    return dict(
        AnnotatorShape({"id": annotator.pk, "name": name, "paused": bool(annotator.paused_at), **kept, **told}).data
    )


class Managed(APIView):
    """What changes who works on what is for who manages the project."""

    write_scope = Scope.MANAGE


class QueuesView(Managed):
    """The queues of a project besides its own."""

    @extend_schema(operation_id="list_queues", responses=QueueShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        return page(request, Queue.objects.filter(project=project), queue_shown)

    @extend_schema(operation_id="create_queue", request=NewQueue, responses={201: QueueShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = NewQueue(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply(queue_shown(queues.add(project=project, user=caller(request), **body.validated_data)), status=201)


class QueueView(Managed):
    """One queue."""

    @extend_schema(operation_id="get_queue", responses=QueueShape)
    def get(self, request: Request, slug: str, queue_id: int) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        return conditional(request, queue_shown(queues.find(project, queue_id)))

    def shown_now(self, request: Request, slug: str, queue_id: int) -> dict[str, Any]:
        found = queues.find(access.project_for(request.user, slug, access.READ), queue_id)
        return queue_shown(Queue.objects.select_for_update(of=("self",)).get(pk=found.pk))

    @extend_schema(operation_id="change_queue", request=ChangedQueue, responses=QueueShape)
    @guarded
    def patch(self, request: Request, slug: str, queue_id: int) -> Reply:
        queue = queues.find(access.project_for(request.user, slug, access.MANAGE), queue_id)
        body = ChangedQueue(data=request.data)
        body.is_valid(raise_exception=True)
        return tagged(queue_shown(queues.change(queue, **body.validated_data)))

    @extend_schema(operation_id="delete_queue", responses={204: None})
    @guarded
    def delete(self, request: Request, slug: str, queue_id: int) -> Reply:
        queues.remove(queues.find(access.project_for(request.user, slug, access.MANAGE), queue_id))
        return Reply(status=204)


class QueueTasksView(Managed):
    """Put tasks into a queue by their ids; by a filter the run `assign` does."""

    @extend_schema(operation_id="move_tasks", request=TaskIds, responses=MovedShape)
    def post(self, request: Request, slug: str, queue_id: int) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        queue = queues.find(project, queue_id)
        body = TaskIds(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply({"moved": queues.move(project=project, ids=body.validated_data["tasks"], queue=queue)})


class AcceptedView(Managed):
    """Take back one answer that a run of `accept` wrote; its task is open to everybody again."""

    @extend_schema(operation_id="undo_accepted", request=None, responses={204: None})
    def post(self, request: Request, slug: str, annotation_id: int) -> Reply:
        accepting.take_back(access.project_for(request.user, slug, access.MANAGE), annotation_id)
        return Reply(status=204)


class ItemOverlapView(Managed):
    """How many people answer each task of one item."""

    @extend_schema(operation_id="item_overlap", request=ItemOverlap, responses=ChangedTasks)
    def post(self, request: Request, slug: str, item_id: int) -> Reply:
        item = browsing.item_of(access.project_for(request.user, slug, access.MANAGE), item_id)
        body = ItemOverlap(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply({"changed": queues.ask_item(item, body.validated_data["overlap"])})


class TaskOverlapView(Managed):
    """How many people answer one task."""

    @extend_schema(operation_id="task_overlap", request=ItemOverlap, responses=ChangedTasks)
    def post(self, request: Request, task_id: int) -> Reply:
        rows = Task.objects.select_related("project").filter(pk=task_id, project__deleted_at=None)
        task = rows.first() if task_id < 2**63 else None
        if task is None or access.SEE not in access.capabilities(request.user, task.project):
            raise NotFound("no such task")
        access.allow(request.user, task.project, access.MANAGE)
        body = ItemOverlap(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply({"changed": queues.ask_task(task, body.validated_data["overlap"])})


class GroupsView(Managed):
    """Groups of people: teams, languages, skills."""

    @extend_schema(operation_id="list_groups", responses=GroupShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        return page(request, Group.objects.filter(project=project), group_shown)

    @extend_schema(operation_id="create_group", request=NewGroup, responses={201: GroupShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = NewGroup(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply(group_shown(grouping.add(project=project, **body.validated_data)), status=201)


class GroupView(Managed):
    """One group."""

    @extend_schema(operation_id="get_group", responses=GroupShape)
    def get(self, request: Request, slug: str, group_id: int) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        return conditional(request, group_shown(grouping.find(project, group_id)))

    def shown_now(self, request: Request, slug: str, group_id: int) -> dict[str, Any]:
        found = grouping.find(access.project_for(request.user, slug, access.MANAGE), group_id)
        return group_shown(Group.objects.select_for_update().get(pk=found.pk))

    @extend_schema(operation_id="change_group", request=ChangedGroup, responses=GroupShape)
    @guarded
    def patch(self, request: Request, slug: str, group_id: int) -> Reply:
        group = grouping.find(access.project_for(request.user, slug, access.MANAGE), group_id)
        body = ChangedGroup(data=request.data)
        body.is_valid(raise_exception=True)
        return tagged(group_shown(grouping.change(group, **body.validated_data)))

    @extend_schema(operation_id="delete_group", responses={204: None})
    @guarded
    def delete(self, request: Request, slug: str, group_id: int) -> Reply:
        grouping.remove(grouping.find(access.project_for(request.user, slug, access.MANAGE), group_id))
        return Reply(status=204)


class AnnotatorsView(Managed):
    """Whoever judges in a project, with what they did and what became of it."""

    @extend_schema(operation_id="list_annotators", responses=AnnotatorShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        rows = Annotator.objects.filter(project=project).select_related("user", "progress")
        return page(request, rows, annotator_shown)


class PauseView(Managed):
    """Give a person no tasks until they are resumed."""

    @extend_schema(operation_id="pause_annotator", request=PauseShape, responses=AnnotatorShape)
    def post(self, request: Request, slug: str, annotator_id: int) -> Reply:
        found = pausing.find(access.project_for(request.user, slug, access.MANAGE), annotator_id)
        body = PauseShape(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply(annotator_shown(pausing.pause(found, body.validated_data["reason"], caller(request))))


class ResumeView(Managed):
    """Let a paused person go on."""

    @extend_schema(operation_id="resume_annotator", request=None, responses=AnnotatorShape)
    def post(self, request: Request, slug: str, annotator_id: int) -> Reply:
        found = pausing.find(access.project_for(request.user, slug, access.MANAGE), annotator_id)
        checking.resume(found)
        return Reply(annotator_shown(found))
