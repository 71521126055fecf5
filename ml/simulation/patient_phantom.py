"""The head of a simulated patient: what his form says, and how severe the CT shall look."""

from collections.abc import Mapping
from typing import Any

from scipy.special import ndtr

from ml.simulation.phantom_spec import MAX_VOLUME_ML, PhantomSpec, Side, Site
from ml.simulation.prognosis import SEVERITY_SEPARATION


def phantom_of(patient: Mapping[Any, Any], severity: float) -> PhantomSpec:
    """Describe the head of a simulated patient, on the phantom's own scanner.

    The hematoma is as large as the form says, but no larger than the phantom's anatomy holds at its site. A bleed in
    the midline is drawn slightly to the left.

    Parameters
    ----------
    patient
        A row of the simulated forms.
    severity
        His ``imaging_severity``: the higher, the wider the edema, the larger the shift of the midline, and the more of
        the clot is liquid. Each of the three tells it exactly, were it read without error.
    """
    site = Site(patient["bleed_site"])
    # Nearly uniform from 0 to 1 over the patients, so that the whole range of the phantom is used.
    share = float(ndtr(severity / (1 + SEVERITY_SEPARATION**2 / 4) ** 0.5))
    return PhantomSpec(
        site=site,
        side=Side.RIGHT if patient["bleed_side"] == Side.RIGHT else Side.LEFT,
        volume_ml=min(max(float(patient["hematoma_volume_ml"]), 0.3), MAX_VOLUME_ML[site]),
        ivh=bool(patient["ivh"]),
        edema=3.0 * share,
        mass_effect=1.5 * share,
        liquid=share,
    )
