"""What the audit trail calls training runs and the models that they make."""

from django.utils.translation import gettext_lazy as _

from apps.audit.words import Action, Kind, Shown, register


def register_words() -> None:
    """Register the words of this app."""
    serving = {"serving": Shown(_("Model in service"), show=lambda key: f"#{key}")}
    register(
        Kind("experiments.experiment", _("Experiment")),
        Action("start_experiment", _("Started an experiment"), {"snapshot": Shown(_("Frozen cohort"))}),
        Action("retry_experiment", _("Continued an experiment that had failed")),
        Action("stop_experiment", _("Stopped an experiment")),
        Action("finish_experiment", _("An experiment ended with a model"), {"model": Shown(_("Digest of the model"))}),
        Action("promote_model", _("Put a model into service"), serving),
        Action("roll_back_model", _("Put the earlier model back into service"), serving),
        Action("retire_model", _("Took a model out of service")),
    )
