"""The registry of models over the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.api.model_shapes import ModelRows, ModelShape, ModelWithCard, NewModel, Trial
from curation.api.pages import CURSOR, LIMITED, page
from curation.api.runs import shown as shown_run
from curation.api.shapes import RunShape
from curation.errors import Forbidden
from curation.models import ModelVersion, Scope
from curation.services import registry, trying


def shown(version: ModelVersion) -> dict[str, Any]:
    return dict(ModelShape(version).data)


class ModelsView(APIView):
    """The model versions that the caller may know of; POST registers one and queues its check."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="list_models", parameters=[CURSOR, LIMITED], responses=ModelRows)
    def get(self, request: Request) -> Reply:
        return page(request, registry.visible(caller(request)).defer("card"), shown)

    @extend_schema(operation_id="register_model", request=NewModel, responses={201: ModelShape})
    @idempotent
    def post(self, request: Request) -> Reply:
        user = caller(request)
        if not user.is_staff:
            raise Forbidden("only staff registers models")
        body = NewModel(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        slug = given.pop("project", None)
        project = access.project_for(user, slug, access.READ) if slug else None
        return Reply(shown(registry.register(**given, project=project, user=user)), status=201)


class ModelView(APIView):
    """One model version with its card."""

    @extend_schema(operation_id="get_model", responses=ModelWithCard)
    def get(self, request: Request, model_id: int) -> Reply:
        return Reply(dict(ModelWithCard(registry.find(caller(request), model_id)).data))


class ModelCheckView(APIView):
    """Let a worker look at it again."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="check_model", request=None, responses={202: RunShape})
    def post(self, request: Request, model_id: int) -> Reply:
        version = registry.for_staff(caller(request), model_id)
        return Reply(shown_run(registry.check(version, user=caller(request))), status=202)


class ModelRetireView(APIView):
    """Offer it no more."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="retire_model", request=None, responses=ModelShape)
    def post(self, request: Request, model_id: int) -> Reply:
        return Reply(shown(registry.retire(registry.for_staff(caller(request), model_id))))


class ModelTryView(APIView):
    """Ask it about one or two responses; the run's result has the answer."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="try_model", request=Trial, responses={202: RunShape})
    @idempotent
    def post(self, request: Request, model_id: int) -> Reply:
        version = registry.for_staff(caller(request), model_id)
        body = Trial(data=request.data)
        body.is_valid(raise_exception=True)
        run = trying.begin(version, **body.validated_data, user=caller(request))
        return Reply(shown_run(run), status=202)
