from django.apps import AppConfig


class CohortsConfig(AppConfig):
    name = "apps.cohorts"

    def ready(self) -> None:
        from apps.core import sweep

        sweep.keep("cohorts.Snapshot", "file")
        sweep.keep("cohorts.Export", "file")
