"""Pages of gold, under projects/<slug>/gold/."""

from django.urls import path, re_path

from curation.views import gold

urlpatterns = [
    path("", gold.index, name="gold"),
    path("rules/", gold.change, name="gold-rules"),
    path("pool/", gold.pool, name="gold-pool"),
    path("mark/", gold.mark, name="gold-mark"),
    path("mine/", gold.mine, name="gold-mine"),
    path("mine/<int:result_id>/object/", gold.objection, name="gold-object"),
    path("<int:gold_id>/", gold.page, name="gold-task"),
    re_path(r"^(?P<gold_id>\d{1,18})/(?P<what>keep|retire|correct)/$", gold.act, name="gold-act"),
    path("people/<int:annotator_id>/", gold.person, name="gold-person"),
    re_path(r"^people/(?P<annotator_id>\d{1,18})/(?P<what>pause|resume)/$", gold.person_act, name="gold-person-act"),
]
