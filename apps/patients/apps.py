from django.apps import AppConfig


class PatientsConfig(AppConfig):
    name = "apps.patients"

    def ready(self) -> None:
        from apps.patients.trail import register_words

        register_words()
