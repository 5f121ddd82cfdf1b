"""Pages of datasets and their versions, under projects/<slug>/datasets/."""

from django.urls import path

from curation.views import datasets

urlpatterns = [
    path("", datasets.index, name="datasets"),
    path("new/", datasets.make, name="version-new"),
    path("count/", datasets.count, name="version-count"),
    path("<slug:name>/<int:number>/", datasets.page, name="version"),
    path("<slug:name>/<int:number>/<str:filename>", datasets.file, name="version-file"),
]
