"""Role by endpoint: who gets in where. A new address without a row here fails the first test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as conf
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from curation.access import GUESTS_OPEN, GUESTS_WORK, annotator_for
from curation.models import (
    Annotation,
    Assignment,
    BiasReport,
    Dataset,
    DatasetVersion,
    Delivery,
    Evaluation,
    Gold,
    GoldResult,
    Group,
    Invite,
    Membership,
    ModelVersion,
    Plan,
    PlanPair,
    Progress,
    Project,
    Queue,
    Run,
    Schedule,
    Task,
    Webhook,
)
from curation.services import annotating, assigning, commenting, crowd, images, importing, reviews, service_accounts
from curation.services.adjudicating import cases
from curation.services.adjudicating import deciding as adjudicating
from curation.services.desk import desk_of
from tests.cast import Cast, make_pairs, token_for
from tests.conftest import calling

pytestmark = pytest.mark.once

ROLES = ["nobody", "zed", "vic", "ann", "rita", "sol", "mia", "olga", "ada"]
"""nobody is not signed in; zed a stranger; vic views; ann annotates; rita reviews; sol is a service account;
mia manages; olga owns; ada is a superuser."""

EVERYBODY = set(ROLES)
SIGNED_IN = EVERYBODY - {"nobody"}
MEMBERS = SIGNED_IN - {"zed"}
ANNOTATORS = {"ann", "rita", "mia", "olga", "ada"}
READERS = {"vic", "rita", "sol", "mia", "olga", "ada"}
FEEDERS = {"sol", "mia", "olga", "ada"}
MANAGERS = {"mia", "olga", "ada"}
REVIEWERS = {"rita", "mia", "olga", "ada"}
OWNERS = {"olga", "ada"}
STAFF = {"ada"}

HUB: dict[str, tuple[str, str, set[str]]] = {
    "hub-who": ("GET", "/hub/api/whoami-v2", SIGNED_IN),
    "hub-datasets": ("GET", "/hub/api/datasets", SIGNED_IN),
    "hub-models": ("GET", "/hub/api/models", SIGNED_IN),
    "hub-nothing": ("GET", "/hub/api/spaces", set()),
}
for kind, repo, file in (("dataset", "{slug}/prefs", "/datasets"), ("model", "{slug}/weights", "")):
    HUB |= {
        f"hub-{kind}": ("GET", f"/hub/api/{kind}s/{repo}", READERS),
        f"hub-{kind}-revision": ("GET", f"/hub/api/{kind}s/{repo}/revision/main", READERS),
        f"hub-{kind}-files": ("GET", f"/hub/api/{kind}s/{repo}/tree/main", READERS),
        f"hub-{kind}-tree": ("GET", f"/hub/api/{kind}s/{repo}/tree/main/README.md", READERS),
        f"hub-{kind}-paths": ("POST", f"/hub/api/{kind}s/{repo}/paths-info/main", READERS),
        f"hub-{kind}-refs": ("GET", f"/hub/api/{kind}s/{repo}/refs", READERS),
        f"hub-{kind}-commits": ("GET", f"/hub/api/{kind}s/{repo}/commits/main", READERS),
        f"hub-{kind}-file": ("GET", f"/hub{file}/{repo}/resolve/main/README.md", READERS),
    }

API: dict[str, tuple[str, str, set[str]]] = {
    **HUB,
    "api-schema": ("GET", "/api/v1/schema", SIGNED_IN),
    "api-nothing": ("GET", "/api/v1/nothing", set()),
    "api-docs": ("GET", "/api/v1/docs", SIGNED_IN),
    "api-projects": ("GET", "/api/v1/projects", SIGNED_IN),
    "api-project": ("GET", "/api/v1/projects/{slug}", MEMBERS),
    "api-protocol": ("GET", "/api/v1/projects/{slug}/protocol", MEMBERS),
    "api-protocol-versions": ("GET", "/api/v1/projects/{slug}/protocol/versions", MEMBERS),
    "api-protocol-version": ("GET", "/api/v1/projects/{slug}/protocol/versions/1", MEMBERS),
    "api-protocol-preview": ("POST", "/api/v1/projects/{slug}/protocol/preview", MANAGERS),
    "api-help": ("GET", "/api/v1/projects/{slug}/help", READERS),
    "api-agreement": ("GET", "/api/v1/projects/{slug}/agreement", READERS),
    "api-agreement-items": ("GET", "/api/v1/projects/{slug}/agreement/items", READERS),
    "api-members": ("GET", "/api/v1/projects/{slug}/members", MANAGERS),
    "api-member": ("PATCH", "/api/v1/projects/{slug}/members/{member}", MANAGERS),
    "api-task-overlap": ("POST", "/api/v1/tasks/{task}/overlap", MANAGERS),
    "api-item-overlap": ("POST", "/api/v1/projects/{slug}/items/{item}/overlap", MANAGERS),
    "api-queues": ("GET", "/api/v1/projects/{slug}/queues", READERS),
    "api-queue": ("GET", "/api/v1/projects/{slug}/queues/{queue}", READERS),
    "api-queue-tasks": ("POST", "/api/v1/projects/{slug}/queues/{queue}/tasks", MANAGERS),
    "api-accepted-undo": ("POST", "/api/v1/projects/{slug}/accepted/{bulk}/undo", MANAGERS),
    "api-groups": ("GET", "/api/v1/projects/{slug}/groups", MANAGERS),
    "api-group": ("GET", "/api/v1/projects/{slug}/groups/{group}", MANAGERS),
    "api-annotators": ("GET", "/api/v1/projects/{slug}/annotators", READERS),
    "api-pause": ("POST", "/api/v1/projects/{slug}/annotators/{annotator}/pause", MANAGERS),
    "api-resume": ("POST", "/api/v1/projects/{slug}/annotators/{annotator}/resume", MANAGERS),
    "api-reviews": ("GET", "/api/v1/projects/{slug}/reviews", REVIEWERS),
    "api-review": ("GET", "/api/v1/projects/{slug}/reviews/{review}", REVIEWERS),
    "api-review-next": ("POST", "/api/v1/projects/{slug}/reviews/next", REVIEWERS),
    "api-comments": ("GET", "/api/v1/projects/{slug}/items/{item}/comments", READERS),
    "api-comment": ("DELETE", "/api/v1/projects/{slug}/comments/{comment}", MANAGERS),
    "api-task-comments": ("GET", "/api/v1/tasks/{task}/comments", ANNOTATORS),
    "api-inbox": ("GET", "/api/v1/inbox", SIGNED_IN),
    "api-switch": ("POST", "/api/v1/switch?dry_run=true", STAFF),
    "api-import": ("POST", "/api/v1/projects/{slug}/import", FEEDERS),
    "api-items": ("POST", "/api/v1/projects/{slug}/items", FEEDERS),
    "api-item": ("GET", "/api/v1/projects/{slug}/items/{item}", READERS),
    "api-item-restore": ("POST", "/api/v1/projects/{slug}/items/{item}/restore", MANAGERS),
    "api-image": ("GET", "/api/v1/projects/{slug}/images/{image}", MEMBERS),
    "api-next": ("POST", "/api/v1/projects/{slug}/tasks/next", ANNOTATORS),
    "api-submit": ("POST", "/api/v1/tasks/{task}/submit", {"ann"}),
    "api-skip": ("POST", "/api/v1/tasks/{task}/skip", {"ann"}),
    "api-release": ("POST", "/api/v1/tasks/{task}/release", {"ann"}),
    "api-undo": ("POST", "/api/v1/annotations/{annotation}/undo", {"ann"}),
    "api-lesson": ("GET", "/api/v1/tasks/{lesson}/lesson", {"ann"}),
    "api-golds": ("GET", "/api/v1/projects/{slug}/gold", MANAGERS),
    "api-gold": ("GET", "/api/v1/projects/{slug}/gold/{gold}", MANAGERS),
    "api-gold-mine": ("GET", "/api/v1/projects/{slug}/gold/mine", ANNOTATORS),
    "api-gold-rules": ("GET", "/api/v1/projects/{slug}/gold/rules", MANAGERS),
    "api-gold-pool": ("POST", "/api/v1/projects/{slug}/gold/pool", MANAGERS),
    "api-gold-results": ("GET", "/api/v1/projects/{slug}/gold/results", MANAGERS),
    "api-gold-people": ("GET", "/api/v1/projects/{slug}/gold/people", MANAGERS),
    "api-gold-resume": ("POST", "/api/v1/projects/{slug}/gold/people/{annotator}/resume", MANAGERS),
    "api-annotations": ("GET", "/api/v1/projects/{slug}/annotations", READERS),
    "api-critiques": ("GET", "/api/v1/projects/{slug}/critiques", READERS),
    "api-verdicts": ("GET", "/api/v1/projects/{slug}/verdicts", READERS),
    "api-suggestions": ("POST", "/api/v1/projects/{slug}/suggestions", FEEDERS),
    "api-scores": ("GET", "/api/v1/projects/{slug}/scores", READERS),
    "api-disputed": ("GET", "/api/v1/projects/{slug}/disputed", REVIEWERS),
    "api-adjudication": ("GET", "/api/v1/tasks/{task}/adjudication", REVIEWERS),
    "api-cases": ("GET", "/api/v1/projects/{slug}/cases", MEMBERS),
    "api-people": ("GET", "/api/v1/projects/{slug}/people", MANAGERS),
    "api-me": ("GET", "/api/v1/projects/{slug}/me", ANNOTATORS),
    "api-proposals": ("GET", "/api/v1/projects/{slug}/proposals?run={fit}", READERS),
    "api-proposals-accept": ("POST", "/api/v1/projects/{slug}/proposals/accept", FEEDERS),
    "api-proposals-refuse": ("POST", "/api/v1/projects/{slug}/proposals/refuse", FEEDERS),
    "api-proposals-reopen": ("POST", "/api/v1/projects/{slug}/proposals/reopen", FEEDERS),
    "api-checks": ("GET", "/api/v1/projects/{slug}/checks", READERS),
    "api-repeats": ("GET", "/api/v1/projects/{slug}/checks/repeats", READERS),
    "api-bias-reports": ("GET", "/api/v1/projects/{slug}/bias-reports", READERS),
    "api-learning-curves": ("GET", "/api/v1/projects/{slug}/learning-curves", READERS),
    "api-safety": ("GET", "/api/v1/projects/{slug}/safety", READERS),
    "api-decisions": ("GET", "/api/v1/projects/{slug}/decisions", READERS),
    "api-runs": ("GET", "/api/v1/projects/{slug}/runs", READERS),
    "api-run": ("GET", "/api/v1/runs/{run}", READERS),
    "api-run-log": ("GET", "/api/v1/runs/{run}/log", READERS),
    "api-run-shards": ("GET", "/api/v1/runs/{run}/shards", READERS),
    "api-run-points": ("GET", "/api/v1/runs/{run}/points", READERS),
    "api-run-held-out": ("GET", "/api/v1/runs/{run}/held-out", READERS),
    "api-run-retry": ("POST", "/api/v1/runs/{run}/retry", FEEDERS),
    "api-methods": ("GET", "/api/v1/methods", SIGNED_IN),
    "api-run-cancel": ("POST", "/api/v1/runs/{run}/cancel", FEEDERS),
    "api-plans": ("GET", "/api/v1/projects/{slug}/plans", READERS),
    "api-plan": ("GET", "/api/v1/projects/{slug}/plans/{plan}", READERS),
    "api-plan-advance": ("POST", "/api/v1/projects/{slug}/plans/{plan}/advance", MANAGERS),
    "api-plan-cancel": ("POST", "/api/v1/projects/{slug}/plans/{plan}/cancel", MANAGERS),
    "api-schedules": ("GET", "/api/v1/projects/{slug}/schedules", READERS),
    "api-schedule": ("GET", "/api/v1/projects/{slug}/schedules/{schedule}", READERS),
    "api-reliabilities": ("GET", "/api/v1/projects/{slug}/reliabilities?run={fit}", READERS),
    "api-fit": ("GET", "/api/v1/projects/{slug}/fit", READERS),
    "api-models": ("GET", "/api/v1/models", SIGNED_IN),
    "api-model": ("GET", "/api/v1/models/{model}", SIGNED_IN),
    "api-model-evaluations": ("GET", "/api/v1/models/{model}/evaluations", SIGNED_IN),
    "api-leaderboard": ("GET", "/api/v1/leaderboard", SIGNED_IN),
    "api-results": ("GET", "/api/v1/evaluations/{evaluation}/results", SIGNED_IN),
    "api-model-check": ("POST", "/api/v1/models/{model}/check", STAFF),
    "api-model-retire": ("POST", "/api/v1/models/{model}/retire", STAFF),
    "api-model-try": ("POST", "/api/v1/models/{model}/try", STAFF),
    "api-datasets": ("GET", "/api/v1/projects/{slug}/datasets", READERS),
    "api-versions": ("GET", "/api/v1/projects/{slug}/datasets/prefs/versions", READERS),
    "api-version": ("GET", "/api/v1/projects/{slug}/datasets/prefs/versions/1", READERS),
    "api-webhooks": ("GET", "/api/v1/projects/{slug}/webhooks", MANAGERS),
    "api-webhook": ("GET", "/api/v1/projects/{slug}/webhooks/{webhook}", MANAGERS),
    "api-webhook-rotate": ("POST", "/api/v1/projects/{slug}/webhooks/{webhook}/rotate", MANAGERS),
    "api-webhook-ping": ("POST", "/api/v1/projects/{slug}/webhooks/{webhook}/ping", MANAGERS),
    "api-deliveries": ("GET", "/api/v1/projects/{slug}/webhooks/{webhook}/deliveries", MANAGERS),
    "api-replay": ("POST", "/api/v1/projects/{slug}/webhooks/{webhook}/deliveries/{message}/replay", MANAGERS),
    "api-row": ("GET", "/api/v1/projects/{slug}/datasets/prefs/versions/1/rows/train/0", READERS),
    "api-changes": ("GET", "/api/v1/projects/{slug}/datasets/prefs/versions/1/changes", READERS),
    "api-verify": ("POST", "/api/v1/projects/{slug}/datasets/prefs/versions/1/verify", FEEDERS),
    "api-compare": ("POST", "/api/v1/projects/{slug}/datasets/prefs/versions/1/compare", FEEDERS),
    "api-push": ("POST", "/api/v1/projects/{slug}/datasets/prefs/versions/1/push", FEEDERS),
    "api-audit": ("GET", "/api/v1/audit", STAFF),
    "api-project-audit": ("GET", "/api/v1/projects/{slug}/audit", OWNERS),
    "api-crowd-links": ("GET", "/api/v1/projects/{slug}/crowd", MANAGERS),
    "api-crowd-link": ("GET", "/api/v1/projects/{slug}/crowd/{crowd_id}", MANAGERS),
    "api-crowd-people": ("GET", "/api/v1/projects/{slug}/crowd/{crowd_id}/people", MANAGERS),
    "api-file": ("GET", "/api/v1/projects/{slug}/datasets/prefs/versions/1/files/train.jsonl", READERS),
}
WRITES: dict[str, tuple[str, str, set[str]]] = {
    "create a project": ("POST", "/api/v1/projects", STAFF),
    "change a project": ("PATCH", "/api/v1/projects/{slug}", MANAGERS),
    "revise the protocol": ("PATCH", "/api/v1/projects/{slug}/protocol", MANAGERS),
    "read the items": ("GET", "/api/v1/projects/{slug}/items", READERS),
    "remove an item": ("DELETE", "/api/v1/projects/{slug}/items/{item}", MANAGERS),
    "replace the protocol": ("PUT", "/api/v1/projects/{slug}/protocol", MANAGERS),
    "make a queue": ("POST", "/api/v1/projects/{slug}/queues", MANAGERS),
    "change a queue": ("PATCH", "/api/v1/projects/{slug}/queues/{queue}", MANAGERS),
    "make a group": ("POST", "/api/v1/projects/{slug}/groups", MANAGERS),
    "change a group": ("PATCH", "/api/v1/projects/{slug}/groups/{group}", MANAGERS),
    "decide a review": ("POST", "/api/v1/projects/{slug}/reviews/{review}", REVIEWERS),
    "ask for a review": ("POST", "/api/v1/projects/{slug}/reviews", REVIEWERS),
    "comment on an item": ("POST", "/api/v1/projects/{slug}/items/{item}/comments", READERS),
    "comment on a task": ("POST", "/api/v1/tasks/{task}/comments", ANNOTATORS),
    "start a plan": ("POST", "/api/v1/projects/{slug}/plans", MANAGERS),
    "make a schedule": ("POST", "/api/v1/projects/{slug}/schedules", FEEDERS),
    "change a schedule": ("PATCH", "/api/v1/projects/{slug}/schedules/{schedule}", FEEDERS),
    "delete a schedule": ("DELETE", "/api/v1/projects/{slug}/schedules/{schedule}", FEEDERS),
    "register a model": ("POST", "/api/v1/models", STAFF),
    "read evaluations of a project's model": ("GET", "/api/v1/models/{own_model}/evaluations", READERS),
    "read rows of a project's own pairs": ("GET", "/api/v1/evaluations/{own_evaluation}/results", READERS),
    "read a project's model": ("GET", "/api/v1/models/{own_model}", READERS),
    "make gold": ("POST", "/api/v1/projects/{slug}/gold", MANAGERS),
    "correct gold": ("PATCH", "/api/v1/projects/{slug}/gold/{gold}", MANAGERS),
    "take gold back": ("DELETE", "/api/v1/projects/{slug}/gold/{gold}", MANAGERS),
    "set the rules of gold": ("PATCH", "/api/v1/projects/{slug}/gold/rules", MANAGERS),
    "put a fit in use": ("PUT", "/api/v1/projects/{slug}/fit", MANAGERS),
    "read what a fit decided": ("GET", "/api/v1/projects/{slug}/decisions?run={fit}", READERS),
    "start a run": ("POST", "/api/v1/projects/{slug}/runs", FEEDERS),
    "make a crowd link": ("POST", "/api/v1/projects/{slug}/crowd", MANAGERS),
    "change a crowd link": ("PATCH", "/api/v1/projects/{slug}/crowd/{crowd_id}", MANAGERS),
    "make a version": ("POST", "/api/v1/projects/{slug}/datasets/prefs/versions", FEEDERS),
}

PAGES: dict[str, tuple[str, str, set[str]]] = {
    "home": ("GET", "/", EVERYBODY),
    "healthz": ("GET", "/healthz", EVERYBODY),
    "readyz": ("GET", "/readyz", EVERYBODY),
    "sign-in": ("GET", "/sign-in/", EVERYBODY),
    "sign-in-link": ("GET", "/sign-in/no-such-secret/", EVERYBODY),
    "second-step": ("GET", "/sign-in/second-step/", EVERYBODY),
    "provider": ("GET", "/sign-in/with/none/", set()),
    "provider-callback": ("GET", "/sign-in/with/none/callback/", set()),
    "sign-out": ("POST", "/sign-out/", EVERYBODY),
    "join": ("GET", "/join/{invite}/", EVERYBODY),
    "account": ("GET", "/account/", SIGNED_IN),
    "theme": ("POST", "/account/theme/", SIGNED_IN),
    "account-keys": ("POST", "/account/keys/", SIGNED_IN),
    "two-factor": ("GET", "/account/two-factor/", SIGNED_IN),
    "provider-unlink": ("POST", "/account/providers/0/unlink/", SIGNED_IN),
    "crowd": ("GET", "/crowd/{crowd}/", EVERYBODY),
    "crowd-seat": ("GET", "/crowd/", set()),
    "crowd-finish": ("POST", "/crowd/finish/", set()),
    "audit": ("GET", "/audit/", STAFF),
    "audit-file": ("GET", "/audit.csv", STAFF),
    "tokens": ("GET", "/account/tokens/", SIGNED_IN),
    "token-revoke": ("POST", "/account/tokens/0/revoke/", set()),
    "work": ("GET", "/work/{work}/", STAFF),
    "work-log": ("GET", "/work/{work}/log.txt", STAFF),
    "work-cancel": ("POST", "/work/{work}/cancel/", STAFF),
    "work-retry": ("POST", "/work/{work}/retry/", STAFF),
    "projects": ("GET", "/projects/", SIGNED_IN),
    "switch": ("GET", "/switch/", STAFF),
    "switch-look": ("GET", "/switch/uploads/{export}/?file=all.jsonl", STAFF),
    "project-new": ("GET", "/projects/new/", STAFF),
    "project": ("GET", "/projects/{slug}/", MEMBERS),
    "project-help": ("GET", "/projects/{slug}/help/", READERS),
    "curation": ("GET", "/projects/{slug}/curation/", READERS),
    "curation-new": ("GET", "/projects/{slug}/curation/new/?curator=agreement", FEEDERS),
    "curation-run": ("GET", "/projects/{slug}/curation/{fit}/", READERS),
    "curation-decide": ("POST", "/projects/{slug}/curation/{fit}/decide/", FEEDERS),
    "checks": ("GET", "/projects/{slug}/checks/", READERS),
    "plans": ("GET", "/projects/{slug}/plans/", READERS),
    "plans-compare": ("GET", "/projects/{slug}/plans/compare/?one={plan}&other={plan}", READERS),
    "plan": ("GET", "/projects/{slug}/plans/{plan}/", READERS),
    "plan-pairs": ("GET", "/projects/{slug}/plans/{plan}/pairs/", READERS),
    "plan-pair": ("GET", "/projects/{slug}/plans/{plan}/pairs/{task}/", REVIEWERS),
    "plan-go-on": ("POST", "/projects/{slug}/plans/{plan}/go-on/", MANAGERS),
    "plan-stop": ("POST", "/projects/{slug}/plans/{plan}/stop/", MANAGERS),
    "plan-again": ("POST", "/projects/{slug}/plans/{plan}/again/", MANAGERS),
    "bias": ("GET", "/projects/{slug}/bias/", READERS),
    "bias-items": ("GET", "/projects/{slug}/bias/items/?report={report}&signal=length&name=x", READERS),
    "next": ("GET", "/projects/{slug}/next/", READERS),
    "safety": ("GET", "/projects/{slug}/safety/", READERS),
    "adjudicate": ("GET", "/projects/{slug}/adjudicate/", REVIEWERS),
    "adjudicate-task": ("GET", "/projects/{slug}/adjudicate/{task}/", REVIEWERS),
    "adjudicate-back": ("POST", "/projects/{slug}/adjudicate/{task}/back/", REVIEWERS),
    "adjudicate-quote": ("POST", "/projects/{slug}/adjudicate/{decided}/quote/", REVIEWERS),
    "guidelines": ("GET", "/projects/{slug}/guidelines/", MEMBERS),
    "case-withdraw": ("POST", "/projects/{slug}/guidelines/{case}/withdraw/", REVIEWERS),
    "people": ("GET", "/projects/{slug}/people/", MANAGERS),
    "person": ("GET", "/projects/{slug}/people/{annotator}/", MANAGERS),
    "me": ("GET", "/projects/{slug}/me/", ANNOTATORS),
    "project-settings": ("GET", "/projects/{slug}/settings/", MANAGERS),
    "protocol": ("GET", "/projects/{slug}/protocol/", MANAGERS),
    "protocol-preview": ("POST", "/projects/{slug}/protocol/preview/", MANAGERS),
    "protocol-versions": ("GET", "/projects/{slug}/protocol/versions/", MANAGERS),
    "protocol-version": ("GET", "/projects/{slug}/protocol/versions/1/", MANAGERS),
    "inbox": ("GET", "/inbox/", SIGNED_IN),
    "item-overlap": ("POST", "/projects/{slug}/items/{item}/overlap/", MANAGERS),
    "queues": ("GET", "/projects/{slug}/work/", MANAGERS),
    "queue-own": ("POST", "/projects/{slug}/work/own/", MANAGERS),
    "queue-new": ("GET", "/projects/{slug}/work/queues/new/", MANAGERS),
    "queue": ("GET", "/projects/{slug}/work/queues/{queue}/", MANAGERS),
    "queue-act": ("POST", "/projects/{slug}/work/queues/{queue}/act/", MANAGERS),
    "group-new": ("GET", "/projects/{slug}/work/groups/new/", MANAGERS),
    "group": ("GET", "/projects/{slug}/work/groups/{group}/", MANAGERS),
    "annotator-pause": ("POST", "/projects/{slug}/work/people/{annotator}/", MANAGERS),
    "accepted": ("GET", "/projects/{slug}/work/accepted/{accepting}/", MANAGERS),
    "accepted-undo": ("POST", "/projects/{slug}/work/accepted/{bulk}/undo/", MANAGERS),
    "review": ("GET", "/projects/{slug}/review/?id={review}", REVIEWERS),
    "reviews": ("GET", "/projects/{slug}/review/all/", REVIEWERS),
    "review-decide": ("POST", "/projects/{slug}/review/{review}/", REVIEWERS),
    "comment-write": ("POST", "/projects/{slug}/items/{item}/comments/", READERS),
    "comment-remove": ("POST", "/projects/{slug}/comments/{comment}/remove/", READERS),
    "members": ("GET", "/projects/{slug}/members/", MANAGERS),
    "member-change": ("POST", "/projects/{slug}/members/{member}/", MANAGERS),
    "invite-create": ("POST", "/projects/{slug}/members/invites/", MANAGERS),
    "invite-withdraw": ("POST", "/projects/{slug}/members/invites/{invite_id}/withdraw/", MANAGERS),
    "service-create": ("POST", "/projects/{slug}/members/services/", MANAGERS),
    "service-account": ("GET", "/projects/{slug}/members/services/{service}/", MANAGERS),
    "service-remove": ("POST", "/projects/{slug}/members/services/{service}/remove/", MANAGERS),
    "service-token": ("POST", "/projects/{slug}/members/services/{service}/tokens/{token}/revoke/", MANAGERS),
    "crowd-links": ("GET", "/projects/{slug}/members/crowd/", MANAGERS),
    "crowd-link": ("GET", "/projects/{slug}/members/crowd/{crowd_id}/", MANAGERS),
    "crowd-act": ("POST", "/projects/{slug}/members/crowd/{crowd_id}/close/", MANAGERS),
    "project-audit": ("GET", "/projects/{slug}/settings/audit/", OWNERS),
    "project-audit-file": ("GET", "/projects/{slug}/settings/audit.jsonl", OWNERS),
    "items": ("GET", "/projects/{slug}/items/", READERS),
    "agreement": ("GET", "/projects/{slug}/agreement/", READERS),
    "agreement-items": ("GET", "/projects/{slug}/agreement/items/", READERS),
    "item": ("GET", "/projects/{slug}/items/{item}/", READERS),
    "items-remove": ("POST", "/projects/{slug}/items/remove/", MANAGERS),
    "items-restore": ("POST", "/projects/{slug}/items/restore/", MANAGERS),
    "decisions": ("GET", "/projects/{slug}/decisions/", READERS),
    "decisions-use": ("POST", "/projects/{slug}/decisions/use/", MANAGERS),
    "decisions-differences": ("GET", "/projects/{slug}/decisions/differences/?one={fit}&other={fit}", READERS),
    "image": ("GET", "/projects/{slug}/images/{image}", MEMBERS),
    "runs": ("GET", "/projects/{slug}/runs/", READERS),
    "run": ("GET", "/projects/{slug}/runs/{run}/", READERS),
    "schedules": ("GET", "/projects/{slug}/schedules/", READERS),
    "schedule-new": ("GET", "/projects/{slug}/schedules/new/", FEEDERS),
    "schedule": ("GET", "/projects/{slug}/schedules/{schedule}/", FEEDERS),
    "schedule-pause": ("POST", "/projects/{slug}/schedules/{schedule}/pause/", FEEDERS),
    "schedule-delete": ("POST", "/projects/{slug}/schedules/{schedule}/delete/", FEEDERS),
    "training": ("GET", "/projects/{slug}/training/", READERS),
    "training-compare": ("GET", "/projects/{slug}/training/compare/", READERS),
    "training-send": ("POST", "/projects/{slug}/training/{run}/send/", FEEDERS),
    "run-new": ("GET", "/projects/{slug}/runs/new/", FEEDERS),
    "run-log": ("GET", "/projects/{slug}/runs/{run}/log.txt", READERS),
    "run-cancel": ("POST", "/projects/{slug}/runs/{run}/cancel/", FEEDERS),
    "run-retry": ("POST", "/projects/{slug}/runs/{run}/retry/", FEEDERS),
    "models": ("GET", "/models/", SIGNED_IN),
    "model-new": ("GET", "/models/new/", STAFF),
    "model": ("GET", "/models/{model}/", SIGNED_IN),
    "leaderboard": ("GET", "/models/leaderboard/", SIGNED_IN),
    "evaluation": ("GET", "/models/evaluations/{own_evaluation}/", READERS),
    "evaluation-results": ("GET", "/models/evaluations/{evaluation}/results.jsonl", SIGNED_IN),
    "model-calibration": ("GET", "/models/{model}/calibration/", SIGNED_IN),
    "model-check": ("POST", "/models/{model}/check/", STAFF),
    "model-retire": ("POST", "/models/{model}/retire/", STAFF),
    "model-trust": ("POST", "/models/{model}/trust/", STAFF),
    "model-try": ("POST", "/models/{model}/try/", STAFF),
    "model-tried": ("GET", "/models/{model}/try/{trial}/", STAFF),
    "imports": ("GET", "/projects/{slug}/imports/", FEEDERS),
    "import-preview": ("GET", "/projects/{slug}/imports/uploads/{upload}/", {"mia"}),
    "import-report": ("GET", "/projects/{slug}/imports/runs/{import}/", READERS),
    "import-rejected": ("GET", "/projects/{slug}/imports/runs/{import}/rejected.jsonl", READERS),
    "datasets": ("GET", "/projects/{slug}/datasets/", READERS),
    "version-new": ("GET", "/projects/{slug}/datasets/new/", FEEDERS),
    "version-count": ("GET", "/projects/{slug}/datasets/count/", FEEDERS),
    "version": ("GET", "/projects/{slug}/datasets/prefs/1/", READERS),
    "webhooks": ("GET", "/projects/{slug}/webhooks/", MANAGERS),
    "webhook": ("GET", "/projects/{slug}/webhooks/{webhook}/", MANAGERS),
    "webhook-act": ("POST", "/projects/{slug}/webhooks/{webhook}/pause/", MANAGERS),
    "delivery": ("GET", "/projects/{slug}/webhooks/{webhook}/deliveries/{message}/", MANAGERS),
    "delivery-replay": ("POST", "/projects/{slug}/webhooks/{webhook}/deliveries/{message}/replay/", MANAGERS),
    "version-row": ("GET", "/projects/{slug}/datasets/prefs/1/rows/train/0/", READERS),
    "version-rows": ("GET", "/projects/{slug}/datasets/prefs/1/rows/?split=train&row=0", READERS),
    "version-verify": ("POST", "/projects/{slug}/datasets/prefs/1/verify/", FEEDERS),
    "version-compare": ("POST", "/projects/{slug}/datasets/prefs/1/compare/", FEEDERS),
    "version-push": ("POST", "/projects/{slug}/datasets/prefs/1/push/", FEEDERS),
    "compared": ("GET", "/projects/{slug}/datasets/compared/{compared}/", READERS),
    "differences": ("GET", "/projects/{slug}/datasets/compared/{compared}/differences.jsonl", READERS),
    "version-file": ("GET", "/projects/{slug}/datasets/prefs/1/train.jsonl", READERS),
    "gold": ("GET", "/projects/{slug}/gold/", MANAGERS),
    "gold-rules": ("POST", "/projects/{slug}/gold/rules/", MANAGERS),
    "gold-pool": ("POST", "/projects/{slug}/gold/pool/", MANAGERS),
    "gold-mark": ("POST", "/projects/{slug}/gold/mark/", set()),
    "gold-mine": ("GET", "/projects/{slug}/gold/mine/", ANNOTATORS),
    "gold-object": ("POST", "/projects/{slug}/gold/mine/{gold_result}/object/", {"ann"}),
    "gold-task": ("GET", "/projects/{slug}/gold/{gold}/", MANAGERS),
    "gold-act": ("POST", "/projects/{slug}/gold/{gold}/keep/", MANAGERS),
    "gold-person": ("GET", "/projects/{slug}/gold/people/{annotator}/", MANAGERS),
    "gold-person-act": ("POST", "/projects/{slug}/gold/people/{annotator}/resume/", MANAGERS),
    "annotate-lesson": ("GET", "/projects/{slug}/annotate/tasks/{lesson}/lesson/", {"ann"}),
    "annotate": ("GET", "/projects/{slug}/annotate/", ANNOTATORS),
    "annotate-next": ("POST", "/projects/{slug}/annotate/next/", ANNOTATORS),
    "annotate-last": ("GET", "/projects/{slug}/annotate/last/", ANNOTATORS),
    "annotate-alive": ("POST", "/projects/{slug}/annotate/alive/", ANNOTATORS),
    "annotate-task": ("GET", "/projects/{slug}/annotate/tasks/{task}/", {"ann"}),
    "annotate-draft": ("POST", "/projects/{slug}/annotate/tasks/{task}/draft/", {"ann"}),
    "annotate-comments": ("GET", "/projects/{slug}/annotate/tasks/{task}/comments/", ANNOTATORS),
    "annotate-heat": ("GET", "/projects/{slug}/annotate/heat/{task}/", READERS | {"ann"}),
}
REFUSED = {302, 401, 403, 404}


def names(patterns: list[Any]) -> set[str]:
    """Names of all addresses but the admin's, which has its own permission system."""
    found: set[str] = set()
    for entry in patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace != "admin":
                found |= names(entry.url_patterns)
        elif isinstance(entry, URLPattern):
            found.add(entry.name or str(entry.pattern))
    return found


def test_every_address_has_a_row() -> None:
    assert names(get_resolver().url_patterns) == set(API) | set(PAGES)


@pytest.fixture
def places(cast: Cast) -> dict[str, object]:
    """Something real behind every address: ann holds a task, and has answered another."""
    make_pairs(cast.project, 3)
    ann = annotator_for(cast.ann, cast.project)
    answered = assigning.next_for(project=cast.project, annotator=ann)
    assert answered is not None
    made = annotating.submit(
        desk=desk_of(cast.project, ann),
        task_id=answered.task_id,
        judgements=[annotating.Judgement("overall", 1)],
        commit=annotating.Commit("k"),
    )
    in_hand = assigning.next_for(project=cast.project, annotator=ann)
    assert in_hand is not None
    gold = Gold.objects.create(
        project=cast.project,
        task=Task.objects.order_by("-pk")[0],
        protocol=cast.project.protocol,
        expected={"preferences": {"overall": ["first"]}},
        phase="training",
        place=1,
        made_from="hand",
    )
    taught = GoldResult.objects.create(
        gold=gold, annotator=ann, annotation_id=made.id, correct=True, score=1, revealed_at=in_hand.expires_at
    )
    adjudication = adjudicating.adjudicate(
        project=cast.project, task=answered.task, user=cast.rita, choices={"axis:overall": "1"}, key="a"
    )
    case = cases.quote(project=cast.project, adjudication=adjudication, words="So it is.", user=cast.rita)
    run = Run.objects.create(project=cast.project, method="freeze")
    schedule = Schedule.objects.create(project=cast.project, method="freeze", cron="0 3 * * *")
    asked = {"axis": "overall"}
    plan = Plan.objects.create(project=cast.project, method="skywork-reward-v2", stage="verify", params=asked)
    PlanPair.objects.create(plan=plan, task_id=in_hand.task_id, role="gold", label="first")
    model = ModelVersion.objects.create(name="length", kind="reward", reference="program:length", state="ready")
    own_model = ModelVersion.objects.create(name="own", kind="reward", reference="program:length", project=cast.project)
    evaluation = evaluate(cast.project, model)
    own_evaluation = evaluate(cast.project, model, benchmark="gold", project=cast.project, axis="overall")
    trial = Run.objects.create(method="try-model", model=model, created_by=cast.ada)
    compared = Run.objects.create(project=cast.project, method="compare", params={"dataset": "prefs", "number": 1})
    compared.folder.mkdir(parents=True)
    (compared.folder / "differences.jsonl").write_text("")
    imported = Run.objects.create(project=cast.project, method="import", state=Run.State.SUCCEEDED)
    imported.folder.mkdir(parents=True)
    (imported.folder / "rejected.jsonl").write_text("{}")
    upload = importing.keep_upload([b'{"prompt": "?", "chosen": "a", "rejected": "b"}'], user=cast.mia)
    export = importing.keep_upload([b'{"id": 1, "text": "a", "label": [], "Comments": []}'], user=cast.ada)
    dataset = Dataset.objects.create(project=cast.project, name="prefs", last_number=2)
    splits = {"train": 1.0}
    DatasetVersion.objects.create(dataset=dataset, number=1, target="trl-preference", run=run, splits=splits)
    ready = DatasetVersion.objects.create(dataset=dataset, number=2, target="touchstone", state="ready", hash="a" * 64)
    weights = conf.VAR_DIR / "weights"
    for folder in (ready.folder, weights):
        folder.mkdir(parents=True)
        (folder / "README.md").write_text("# Card")
    ModelVersion.objects.create(
        name="weights", kind="reward", reference=f"hf:{weights}", state="ready", project=cast.project
    )
    from curation.models.people import digest

    invite = Invite.objects.create(
        project=cast.project, role="viewer", digest=digest("inv_x"), expires_at=in_hand.expires_at
    )
    queue = Queue.objects.create(project=cast.project, name="batch")
    group = Group.objects.create(project=cast.project, name="team")
    review = reviews.ask(cast.project, made.id)
    comment = commenting.write(item=answered.task.pair.item, user=cast.mia, text="Look").comment
    bulk = Annotation.objects.create(
        project=cast.project,
        task=answered.task,
        annotator=annotator_for(cast.bob, cast.project),
        protocol=cast.project.protocol,
        event="answer",
        source="bulk",
        idempotency_key="bulk",
    )
    given = {"order": "ab", "expires_at": in_hand.expires_at, "state": "answered", "current": bulk}
    Assignment.objects.create(task=answered.task, annotator=bulk.annotator, **given)
    Task.objects.filter(pk=answered.task_id).update(taken=2, done=2)
    Progress.objects.create(project=cast.project, annotator=bulk.annotator, done=1)
    webhook = Webhook.objects.create(project=cast.project, url="https://example.org/", events=[], secret="whsec_AAAA")
    told = Delivery.objects.create(webhook=webhook, event="ping", payload={})
    service = service_accounts.make(project=cast.project, by=cast.olga, name="Nightly")
    token, _ = service_accounts.make_token(service, name="t", scopes=["read"], expires_at=None)
    link, secret = crowd.make_link(project=cast.project, by=cast.mia, name="Pilot", quota=2, most_people=3, days=1)
    counted = {"axis": "overall", "pairs": 0, "answers": 0, "figures": []}
    return {
        "report": BiasReport.objects.create(project=cast.project, run=run, told=counted).pk,
        "service": service.pk,
        "token": token.pk,
        "crowd": secret,
        "crowd_id": link.pk,
        "webhook": webhook.pk,
        "queue": queue.pk,
        "group": group.pk,
        "review": review.pk,
        "comment": comment.pk,
        "bulk": bulk.pk,
        "annotator": ann.pk,
        "accepting": Run.objects.create(project=cast.project, method="accept", created_by=cast.mia).pk,
        "message": told.message,
        "slug": cast.project.slug,
        "task": in_hand.task_id,
        "gold": gold.pk,
        "gold_result": taught.pk,
        "lesson": gold.task_id,
        "decided": answered.task_id,
        "case": case.pk,
        "annotation": made.id,
        "item": answered.task.pair.item_id,
        "run": run.pk,
        "fit": Run.objects.create(project=cast.project, method="decide", state="succeeded").pk,
        "work": Run.objects.create(method="freeze").pk,
        "schedule": schedule.pk,
        "plan": plan.pk,
        "model": model.pk,
        "own_model": own_model.pk,
        "evaluation": evaluation.pk,
        "own_evaluation": own_evaluation.pk,
        "trial": trial.pk,
        "compared": compared.pk,
        "import": imported.pk,
        "upload": upload,
        "export": export,
        "image": some_image(cast.project),
        "invite": "inv_x",
        "invite_id": invite.pk,
        "member": Membership.objects.get(user=cast.vic).pk,
    }


def evaluate(home: Project, model: ModelVersion, **more: Any) -> Evaluation:
    run = Run.objects.create(project=home, method="evaluate", model=model)
    run.folder.mkdir(parents=True)
    (run.folder / "results.jsonl").write_text("")
    figure = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9}
    given = {"benchmark": "llmbar", "main": "average", "value": 0.5, "n": 9, "total": 9, **more}
    source = {"bytes": 0, "results": "0" * 64, "cases": "0" * 64, "from": "files"}
    return Evaluation.objects.create(run=run, model=model, scores={"average": figure}, source=source, **given)


def some_image(project: Project) -> str:
    name = images.sha256_of(b"GIF89a")
    images.keep(name, b"GIF89a")
    images.enter(project, [images.Kept(name, "image/gif", 6, 1, 1)])
    return name


@contextmanager
def undone() -> Iterator[None]:
    """What is written inside is taken back, so that each role finds the same places."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("name", [*API, *WRITES])
def test_the_api_lets_in_whom_it_should(cast: Cast, places: dict[str, object], name: str) -> None:
    method, path, allowed = {**API, **WRITES}[name]
    for role in ROLES:
        client = calling(cast.people.get(role))
        with undone():
            response = client.generic(
                method, path.format(**places), "{}", content_type="application/json", HTTP_IDEMPOTENCY_KEY="m"
            )
            assert response.status_code < 500
            let_in = response.status_code not in REFUSED or reached(response)
            assert let_in == (role in allowed), (role, response.status_code, response.content[:300])


def reached(response: Any) -> bool:
    """A 404 about a file that is not there was answered behind the door."""
    return response.status_code == 404 and b"no such file" in response.content


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_let_in_whom_they_should(cast: Cast, places: dict[str, object], name: str) -> None:
    method, path, allowed = PAGES[name]
    for role in ROLES:
        client = Client(raise_request_exception=True)
        if role != "nobody":
            client.force_login(cast.people[role], backend="django.contrib.auth.backends.ModelBackend")
        with undone():
            response = client.generic(method, path.format(**places), HTTP_ACCEPT="text/html")
            assert response.status_code < 500
            elsewhere = response.headers.get("Location", "")
            to_sign_in = response.status_code == 302 and elsewhere.startswith("/sign-in/") and "next=" in elsewhere
            refused = response.status_code in (401, 403, 404) or to_sign_in
            if name == "sign-in-link":
                refused = False
            assert refused == (role not in allowed), (role, response.status_code, elsewhere)


def test_a_guest_is_let_in_nowhere_but_to_their_work(cast: Cast, places: dict[str, object]) -> None:
    """Whatever is not on the lists of `access` is closed, so an address that somebody adds is closed to guests."""
    guest = Client()
    assert guest.post(f"/crowd/{places['crowd']}/").status_code == 302
    rows = {**API, **WRITES, **PAGES}
    assert set(rows) > GUESTS_OPEN | GUESTS_WORK
    for name in sorted(rows, key=lambda name: name == "sign-out"):
        method, path, _ = rows[name]
        response = guest.generic(method, path.format(**places), "{}", content_type="application/json")
        refused = response.status_code == 403
        assert refused == (name not in GUESTS_OPEN | GUESTS_WORK), (name, response.status_code)


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("write", 200)])
def test_a_token_does_no_more_than_its_scope(cast: Cast, scope: str, status: int) -> None:
    make_pairs(cast.project, 1)
    client = calling(cast.ann, scope)
    assert client.post(f"/api/v1/projects/{cast.project.slug}/tasks/next", {}).status_code == status
    assert client.get(f"/api/v1/projects/{cast.project.slug}").status_code == 200


def test_a_revoked_or_expired_token_is_nobody(cast: Cast) -> None:
    from django.utils import timezone

    from curation.models import ApiToken

    for change in ({"revoked_at": timezone.now()}, {"expires_at": timezone.now()}):
        secret = token_for(cast.ann)
        ApiToken.objects.filter(user=cast.ann).update(**change)
        response = Client().get("/api/v1/projects", HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert response.status_code == 401 and response["Content-Type"] == "application/problem+json"


def test_the_secret_of_a_token_is_nowhere_in_the_database(cast: Cast) -> None:
    from curation.models import ApiToken

    secret = token_for(cast.ann)
    assert secret not in str(list(ApiToken.objects.values()))


def test_an_annotator_sees_no_model_name_and_no_answer_of_another(cast: Cast) -> None:
    cast.project.overlap = 2
    make_pairs(cast.project, 2)
    bob = annotator_for(cast.bob, cast.project)
    held = assigning.next_for(project=cast.project, annotator=bob)
    assert held is not None
    annotating.submit(
        desk=desk_of(cast.project, bob),
        task_id=held.task_id,
        judgements=[annotating.Judgement("overall", 1)],
        rationale="bob's secret reason",
        commit=annotating.Commit("b"),
    )
    client = calling(cast.ann)
    task = client.post(f"/api/v1/projects/{cast.project.slug}/tasks/next", {})
    assert Assignment.objects.filter(annotator__user=cast.ann, task=held.task).exists()
    browser = Client()
    browser.force_login(cast.ann, backend="django.contrib.auth.backends.ModelBackend")
    page = browser.post(f"/projects/{cast.project.slug}/annotate/next/")
    for seen in (task.content, page.content):
        assert b"Answer 0 to 0" in seen
        for hidden in (b"m0", b"m1", b"secret reason", b"external_id", b"item-0"):
            assert hidden not in seen
