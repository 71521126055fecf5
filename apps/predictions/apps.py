from django.apps import AppConfig


class PredictionsConfig(AppConfig):
    name = "apps.predictions"

    def ready(self) -> None:
        from apps.core import sweep
        from apps.patients.changes import listen
        from apps.patients.page import register
        from apps.predictions import page, services
        from apps.predictions.trail import register_words

        register_words()
        sweep.keep("predictions.Prediction", "tensor")
        sweep.keep("predictions.Explanation", "tensor")
        sweep.keep("predictions.Explanation", "file")
        listen(services.schedule_prediction)
        for part in page.PARTS:
            register(part)
