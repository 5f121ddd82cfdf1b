"""Pages of the import, under projects/<slug>/imports/."""

from django.urls import path

from curation.views import imports

urlpatterns = [
    path("", imports.index, name="imports"),
    path("uploads/<uuid:upload>/", imports.look, name="import-preview"),
    path("runs/<uuid:run_id>/", imports.report, name="import-report"),
    path("runs/<uuid:run_id>/rejected.jsonl", imports.rejected, name="import-rejected"),
]
