"""Pages of datasets and their versions, under projects/<slug>/datasets/."""

from django.urls import path

from curation.views import datasets, versions

urlpatterns = [
    path("", datasets.index, name="datasets"),
    path("new/", datasets.make, name="version-new"),
    path("count/", datasets.count, name="version-count"),
    path("<slug:name>/<int:number>/", datasets.page, name="version"),
    path("<slug:name>/<int:number>/verify/", versions.verify, name="version-verify"),
    path("<slug:name>/<int:number>/compare/", versions.compare, name="version-compare"),
    path("<slug:name>/<int:number>/push/", versions.push, name="version-push"),
    path("compared/<uuid:run_id>/", versions.compared, name="compared"),
    path("compared/<uuid:run_id>/differences.jsonl", versions.differences, name="differences"),
    path("<slug:name>/<int:number>/rows/<slug:split>/<int:row>/", versions.row, name="version-row"),
    path("<slug:name>/<int:number>/rows/", versions.find_row, name="version-rows"),
    path("<slug:name>/<int:number>/<str:filename>", datasets.file, name="version-file"),
]
