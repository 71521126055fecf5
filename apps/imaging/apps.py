from django.apps import AppConfig


class ImagingConfig(AppConfig):
    name = "apps.imaging"

    def ready(self) -> None:
        from apps.core import sweep
        from apps.imaging import page
        from apps.imaging.choice import on_change
        from apps.imaging.exchange import tasks  # noqa: F401 (a worker must know its tasks)
        from apps.imaging.exchange.client import silence_client
        from apps.imaging.ingest.reading import silence_pydicom
        from apps.imaging.trail import register_words
        from apps.patients.changes import listen
        from apps.patients.page import register

        silence_pydicom()
        register_words()
        sweep.keep("imaging.Instance", "file")
        sweep.keep("imaging.Series", "tensor")
        # A decided one is stored as an instance, or thrown away.
        sweep.keep("imaging.HeldInstance", "file", decision="")
        silence_client()
        listen(on_change)
        for part in page.PARTS:
            register(part)
