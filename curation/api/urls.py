"""Addresses of the REST API."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from curation.api import (
    critiques,
    datasets,
    images,
    imports,
    models,
    problems,
    projects,
    protocols,
    runs,
    schedules,
    scores,
    suggestions,
    tasks,
)

PROJECT = "projects/<slug:slug>"
VERSION = f"{PROJECT}/datasets/<slug:name>/versions/<int:number>"

urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="api-schema"), name="api-docs"),
    path("projects", projects.ProjectsView.as_view(), name="api-projects"),
    path(PROJECT, projects.ProjectView.as_view(), name="api-project"),
    path(f"{PROJECT}/protocol", protocols.ProtocolView.as_view(), name="api-protocol"),
    path(f"{PROJECT}/protocol/versions", protocols.VersionsView.as_view(), name="api-protocol-versions"),
    path(f"{PROJECT}/protocol/versions/<int:number>", protocols.VersionView.as_view(), name="api-protocol-version"),
    path(f"{PROJECT}/protocol/preview", protocols.PreviewView.as_view(), name="api-protocol-preview"),
    path(f"{PROJECT}/help", projects.HelpView.as_view(), name="api-help"),
    path(f"{PROJECT}/members", projects.MembersView.as_view(), name="api-members"),
    path(f"{PROJECT}/import", imports.ImportView.as_view(), name="api-import"),
    path(f"{PROJECT}/items", critiques.ItemsView.as_view(), name="api-items"),
    path(f"{PROJECT}/images/<str:sha256>", images.ImageView.as_view(), name="api-image"),
    path(f"{PROJECT}/tasks/next", tasks.NextView.as_view(), name="api-next"),
    path("tasks/<int:task_id>/submit", tasks.SubmitView.as_view(), name="api-submit"),
    path("tasks/<int:task_id>/skip", tasks.SkipView.as_view(), name="api-skip"),
    path("tasks/<int:task_id>/release", tasks.ReleaseView.as_view(), name="api-release"),
    path("annotations/<int:annotation_id>/undo", tasks.UndoView.as_view(), name="api-undo"),
    path(f"{PROJECT}/annotations", datasets.AnnotationsView.as_view(), name="api-annotations"),
    path(f"{PROJECT}/decisions", datasets.DecisionsView.as_view(), name="api-decisions"),
    path(f"{PROJECT}/critiques", critiques.CritiquesView.as_view(), name="api-critiques"),
    path(f"{PROJECT}/verdicts", critiques.VerdictsView.as_view(), name="api-verdicts"),
    path(f"{PROJECT}/scores", scores.ScoresView.as_view(), name="api-scores"),
    path(f"{PROJECT}/suggestions", suggestions.SuggestionsView.as_view(), name="api-suggestions"),
    path("methods", runs.MethodsView.as_view(), name="api-methods"),
    path(f"{PROJECT}/runs", runs.RunsView.as_view(), name="api-runs"),
    path("runs/<uuid:run_id>", runs.RunView.as_view(), name="api-run"),
    path("runs/<uuid:run_id>/log", runs.RunLogView.as_view(), name="api-run-log"),
    path("runs/<uuid:run_id>/shards", runs.RunShardsView.as_view(), name="api-run-shards"),
    path("runs/<uuid:run_id>/retry", runs.RunRetryView.as_view(), name="api-run-retry"),
    path("runs/<uuid:run_id>/cancel", runs.RunCancelView.as_view(), name="api-run-cancel"),
    path("models", models.ModelsView.as_view(), name="api-models"),
    path("models/<int:model_id>", models.ModelView.as_view(), name="api-model"),
    path("models/<int:model_id>/check", models.ModelCheckView.as_view(), name="api-model-check"),
    path("models/<int:model_id>/retire", models.ModelRetireView.as_view(), name="api-model-retire"),
    path("models/<int:model_id>/try", models.ModelTryView.as_view(), name="api-model-try"),
    path(f"{PROJECT}/schedules", schedules.SchedulesView.as_view(), name="api-schedules"),
    path(f"{PROJECT}/schedules/<int:schedule_id>", schedules.ScheduleView.as_view(), name="api-schedule"),
    path(f"{PROJECT}/datasets", datasets.DatasetsView.as_view(), name="api-datasets"),
    path(f"{PROJECT}/datasets/<slug:name>/versions", datasets.VersionsView.as_view(), name="api-versions"),
    path(VERSION, datasets.VersionView.as_view(), name="api-version"),
    path(f"{VERSION}/files/<str:filename>", datasets.FileView.as_view(), name="api-file"),
    re_path("", problems.nothing_here, name="api-nothing"),
]
