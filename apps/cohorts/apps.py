from django.apps import AppConfig


class CohortsConfig(AppConfig):
    name = "apps.cohorts"

    def ready(self) -> None:
        from apps.cohorts.trail import register_words
        from apps.core import sweep

        register_words()
        sweep.keep("cohorts.Snapshot", "file")
        sweep.keep("cohorts.Export", "file")
