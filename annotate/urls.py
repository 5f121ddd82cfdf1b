"""Pages of the annotation screen, under projects/<slug>/annotate/."""

from django.urls import path

from annotate.views import comments, heat, lesson, screen

urlpatterns = [
    path("", screen.page, name="annotate"),
    path("next/", screen.next_task, name="annotate-next"),
    path("last/", screen.last, name="annotate-last"),
    path("alive/", screen.alive, name="annotate-alive"),
    path("tasks/<int:task_id>/", screen.task, name="annotate-task"),
    path("tasks/<int:task_id>/draft/", screen.draft, name="annotate-draft"),
    path("tasks/<int:task_id>/lesson/", lesson.lesson, name="annotate-lesson"),
    path("tasks/<int:task_id>/comments/", comments.comments, name="annotate-comments"),
    path("heat/<int:task_id>/", heat.heat, name="annotate-heat"),
]
