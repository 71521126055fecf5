from django.apps import AppConfig


class ImagingConfig(AppConfig):
    name = "apps.imaging"

    def ready(self) -> None:
        from apps.imaging import page
        from apps.patients.page import register

        for part in page.PARTS:
            register(part)
