"""Pages of models, under models/."""

from django.urls import path

from curation.views import calibration, evaluations, models

urlpatterns = [
    path("", models.index, name="models"),
    path("new/", models.new, name="model-new"),
    path("leaderboard/", evaluations.leaderboard, name="leaderboard"),
    path("evaluations/<int:evaluation_id>/", evaluations.page, name="evaluation"),
    path("evaluations/<int:evaluation_id>/results.jsonl", evaluations.results, name="evaluation-results"),
    path("<int:model_id>/", models.page, name="model"),
    path("<int:model_id>/calibration/", calibration.section, name="model-calibration"),
    path("<int:model_id>/check/", models.check, name="model-check"),
    path("<int:model_id>/retire/", models.retire, name="model-retire"),
    path("<int:model_id>/trust/", models.trust, name="model-trust"),
    path("<int:model_id>/try/", models.begin_try, name="model-try"),
    path("<int:model_id>/try/<uuid:run_id>/", models.tried, name="model-tried"),
]
