"""Addresses under /hub, as the Hub has them."""

from django.urls import URLPattern, path, re_path

from curation.hub import views

REPO = r"(?P<namespace>[\w.-]+)/(?P<name>[\w.-]+)"
REVISION = r"(?P<revision>[^/]+)"


def of(kind: str) -> list[URLPattern]:
    """The addresses of one kind of repository: dataset or model."""
    told, api = {"kind": kind}, rf"^api/{kind}s/{REPO}"
    files = "datasets/" if kind == "dataset" else ""
    return [
        re_path(rf"{api}$", views.RepoView.as_view(), told, name=f"hub-{kind}"),
        re_path(rf"{api}/revision/{REVISION}$", views.RepoView.as_view(), told, name=f"hub-{kind}-revision"),
        re_path(rf"{api}/tree/{REVISION}/?$", views.TreeView.as_view(), told, name=f"hub-{kind}-files"),
        re_path(rf"{api}/tree/{REVISION}/(?P<path>.+)$", views.TreeView.as_view(), told, name=f"hub-{kind}-tree"),
        re_path(rf"{api}/paths-info/{REVISION}$", views.PathsView.as_view(), told, name=f"hub-{kind}-paths"),
        re_path(rf"{api}/refs$", views.RefsView.as_view(), told, name=f"hub-{kind}-refs"),
        re_path(rf"{api}/commits/{REVISION}$", views.CommitsView.as_view(), told, name=f"hub-{kind}-commits"),
        re_path(
            rf"^{files}{REPO}/(?:resolve|raw)/{REVISION}/(?P<path>.+)$",
            views.ResolveView.as_view(),
            told,
            name=f"hub-{kind}-file",
        ),
    ]


urlpatterns = [
    path("api/whoami-v2", views.WhoView.as_view(), name="hub-who"),
    path("api/datasets", views.DatasetsView.as_view(), name="hub-datasets"),
    path("api/models", views.ModelsView.as_view(), name="hub-models"),
    *of("dataset"),
    *of("model"),
    re_path("", views.NothingView.as_view(), name="hub-nothing"),
]
