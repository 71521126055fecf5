"""manage.py check_predictions: compute every stored prediction again from what its row names."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import Refusal
from apps.predictions.compute import compute
from apps.predictions.models import Prediction
from apps.predictions.services import engine_of
from ml.errors import MLError

MOST = 1e-6


class Command(BaseCommand):
    help = "Compute stored predictions again and compare them; status 1 where one differs or can't be computed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--experiment", type=int, help="only those of one run's model")

    def handle(self, *args: Any, experiment: int | None, **options: Any) -> None:
        rows = Prediction.objects.filter(probability__isnull=False).select_related("experiment", "series", "patient")
        if experiment is not None:
            rows = rows.filter(experiment=experiment)
        same = 0
        problems = []
        for prediction in rows.order_by("experiment", "pk"):  # one model is open at a time
            problem = _problem(prediction)
            same += not problem
            if problem:
                problems.append(f"prediction {prediction.pk}: {problem}")
        self.stdout.write("\n".join([*problems, f"{same} of {same + len(problems)} predictions are as stored."]))
        if problems:
            raise CommandError("Not every prediction could be reproduced. Another processor or engine changes digits.")


def _problem(prediction: Prediction) -> str:
    """Return what is wrong with a prediction, empty where it is computed to the same numbers again."""
    try:
        result = compute(prediction, prediction.tensor)
    except (Refusal, MLError) as error:
        return str(error)
    except OSError:
        return "its image is missing from the store; restore it from the backup."
    if result.arm != prediction.arm or len(result.per_fold) != len(prediction.per_fold):
        return f"the {result.arm} arm answers now, with {len(result.per_fold)} folds."
    now, then = [result.probability, *result.per_fold], [prediction.probability, *prediction.per_fold]
    most = max(abs(a - b) for a, b in zip(now, then, strict=True))
    if most <= MOST:
        return ""
    return f"differs by {most:.1e}; computed by {prediction.engine}, now by {engine_of(result)}."
