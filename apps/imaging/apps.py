from django.apps import AppConfig


class ImagingConfig(AppConfig):
    name = "apps.imaging"

    def ready(self) -> None:
        from apps.imaging import page
        from apps.imaging.reading import silence_pydicom
        from apps.patients.page import register

        silence_pydicom()
        for part in page.PARTS:
            register(part)
