"""Pages of webhooks, under projects/<slug>/webhooks/."""

from django.urls import path, re_path

from curation.views import webhooks

urlpatterns = [
    path("", webhooks.index, name="webhooks"),
    path("<int:webhook_id>/", webhooks.page, name="webhook"),
    re_path(r"^(?P<webhook_id>\d+)/(?P<what>ping|pause|rotate|remove|replay)/$", webhooks.act, name="webhook-act"),
    path("<int:webhook_id>/deliveries/<uuid:message>/", webhooks.delivery, name="delivery"),
    path("<int:webhook_id>/deliveries/<uuid:message>/replay/", webhooks.replay, name="delivery-replay"),
]
