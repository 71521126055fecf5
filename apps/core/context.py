"""What every page knows about this installation."""

from django.conf import settings
from django.http import HttpRequest


def study(request: HttpRequest) -> dict[str, object]:
    """Return the study's name and whether its patients are simulated."""
    return {"study_name": settings.STUDY_NAME, "demonstration": settings.DEMONSTRATION}
