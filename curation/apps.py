from django.apps import AppConfig


class CurationConfig(AppConfig):
    name = "curation"
    verbose_name = "Touchstone"

    def ready(self) -> None:
        from curation.api import schema  # noqa: F401 - registers itself
