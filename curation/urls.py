"""All addresses. Each stage keeps its own list; docs/map.md says which file is which."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from curation.views import health, helping, images, items, members, people, projects, protocols, runs, schedules, tokens

project: list[URLPattern | URLResolver] = [
    path("", projects.page, name="project"),
    path("help/", helping.card, name="project-help"),
    path("settings/", projects.settings, name="project-settings"),
    path("protocol/", protocols.editor, name="protocol"),
    path("protocol/preview/", protocols.preview, name="protocol-preview"),
    path("protocol/versions/", protocols.versions, name="protocol-versions"),
    path("protocol/versions/<int:number>/", protocols.version, name="protocol-version"),
    path("members/", members.page, name="members"),
    path("members/<int:membership_id>/", members.change, name="member-change"),
    path("members/invites/", members.invite, name="invite-create"),
    path("members/invites/<int:invite_id>/withdraw/", members.withdraw, name="invite-withdraw"),
    path("items/", items.index, name="items"),
    path("items/<int:item_id>/", items.page, name="item"),
    path("images/<str:sha256>", images.image, name="image"),
    path("runs/", runs.index, name="runs"),
    path("schedules/", schedules.index, name="schedules"),
    path("schedules/new/", schedules.new, name="schedule-new"),
    path("schedules/<int:schedule_id>/", schedules.edit, name="schedule"),
    path("schedules/<int:schedule_id>/pause/", schedules.pause, name="schedule-pause"),
    path("schedules/<int:schedule_id>/delete/", schedules.delete, name="schedule-delete"),
    path("runs/new/", runs.new, name="run-new"),
    path("runs/<uuid:run_id>/", runs.page, name="run"),
    path("runs/<uuid:run_id>/log.txt", runs.log, name="run-log"),
    path("runs/<uuid:run_id>/cancel/", runs.cancel, name="run-cancel"),
    path("runs/<uuid:run_id>/retry/", runs.retry, name="run-retry"),
    path("webhooks/", include("curation.urls_webhooks")),
    path("imports/", include("curation.urls_imports")),
    path("datasets/", include("curation.urls_datasets")),
    path("annotate/", include("annotate.urls")),
]

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="projects"), name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("sign-in/", people.SignIn.as_view(), name="sign-in"),
    path("sign-in/<str:secret>/", people.sign_in_by_link, name="sign-in-link"),
    path("sign-out/", people.SignOut.as_view(), name="sign-out"),
    path("join/<str:secret>/", people.join, name="join"),
    path("account/", people.account, name="account"),
    path("account/theme/", people.theme, name="theme"),
    path("account/keys/", people.keys, name="account-keys"),
    path("account/tokens/", tokens.page, name="tokens"),
    path("account/tokens/<int:token_id>/revoke/", tokens.revoke, name="token-revoke"),
    path("work/<uuid:run_id>/", runs.work, name="work"),
    path("work/<uuid:run_id>/log.txt", runs.work_log, name="work-log"),
    path("work/<uuid:run_id>/cancel/", runs.work_cancel, name="work-cancel"),
    path("work/<uuid:run_id>/retry/", runs.work_retry, name="work-retry"),
    path("models/", include("curation.urls_models")),
    path("projects/", projects.index, name="projects"),
    path("projects/new/", projects.new, name="project-new"),
    path("projects/<slug:slug>/", include(project)),
    path("api/v1/", include("curation.api.urls")),
    path("hub/", include("curation.hub.addresses")),
    path("admin/", admin.site.urls),
]
