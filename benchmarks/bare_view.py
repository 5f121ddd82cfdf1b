"""The floor of a page: one Django view without middleware that answers one indexed row with its two responses."""

from __future__ import annotations

import os

import dj_database_url
import django
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import path

settings.configure(
    SECRET_KEY="only for a benchmark on the loopback address",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    DATABASES={"default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=None)},
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection  # noqa: E402

ROW = """
SELECT i.id, i.prompt, f.text, s.text
FROM curation_item i
JOIN curation_response f ON f.item_id = i.id AND f.position = 0
JOIN curation_response s ON s.item_id = i.id AND s.position = 1
WHERE i.id = %s
"""


def one(request: HttpRequest, item_id: int) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute(ROW, [item_id])
        number, prompt, first, second = cursor.fetchone()
    return JsonResponse({"id": number, "prompt": prompt, "first": first, "second": second})


def ready(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"ready": True})


urlpatterns = [path("items/<int:item_id>", one), path("ready", ready)]
application = get_wsgi_application()
