from django.apps import AppConfig


class CrfConfig(AppConfig):
    name = "apps.crf"

    def ready(self) -> None:
        # Models can't be imported before all apps are loaded.
        from apps.crf.parts import register_parts

        register_parts()
