"""Clinical scores of intracerebral hemorrhage, exactly as published.

Each function takes the patient's values by name and returns the total. A blank (``None``, NaN, an empty string) raises
`ScoreNotComputable` and is never taken for "no" or "normal"; a value off its scale raises `MLError`. `SCORES` holds
the same definitions as data (citation, direction, range, items), with a `compute` that shows the points of each item.

Units everywhere: `age` in years (counted as completed years), `gcs` 3-15, `nihss` 0-42, `volume_ml` in mL.
"""

from ml.scores.catalog import (
    FUNC,
    ICH_GS,
    ICH_SCORE,
    MAX_ICH,
    MODIFIED_ICH_CHEUNG_ZOU_2003,
    SCORES,
)
from ml.scores.definition import (
    Band,
    Cut,
    ItemPoints,
    NearCut,
    OutcomeTable,
    ScoreDefinition,
    ScoreItem,
    ScoreResult,
)
from ml.scores.inputs import INPUTS, InputKind, ScoreInput, ScoreNotComputable

__all__ = [
    "INPUTS",
    "SCORES",
    "Band",
    "Cut",
    "InputKind",
    "ItemPoints",
    "NearCut",
    "OutcomeTable",
    "ScoreDefinition",
    "ScoreInput",
    "ScoreItem",
    "ScoreNotComputable",
    "ScoreResult",
    "func_score",
    "ich_gs",
    "ich_score",
    "max_ich",
    "modified_ich_cheung_zou_2003",
]


def ich_score(
    *, age: float | None, gcs: int | None, volume_ml: float | None, ivh: bool | None, infratentorial: bool | None
) -> int:
    """Return the ICH score, 0-6, higher is worse (Hemphill 2001, Stroke 32:891-897).

    Parameters
    ----------
    age
        Years; 80 and over scores.
    gcs
        Glasgow Coma Scale, 3-15.
    volume_ml
        Hematoma volume, mL; 30 and over scores.
    ivh
        Blood in the ventricles.
    infratentorial
        Origin below the tentorium.

    Raises
    ------
    ScoreNotComputable
        If an input is blank; `missing` names them.
    MLError
        If a value is of the wrong type or off its scale.
    """
    return ICH_SCORE.total(
        {"age": age, "gcs": gcs, "volume_ml": volume_ml, "ivh": ivh, "infratentorial": infratentorial}
    )


def ich_gs(
    *, age: float | None, gcs: int | None, volume_ml: float | None, ivh: bool | None, infratentorial: bool | None
) -> int:
    """Return the ICH grading scale, 5-13, higher is worse (Ruiz-Sandoval 2007, Stroke 38:1641-1644).

    Parameters and errors are those of `ich_score`; the cut-offs of volume depend on `infratentorial`.
    """
    return ICH_GS.total({"age": age, "gcs": gcs, "volume_ml": volume_ml, "ivh": ivh, "infratentorial": infratentorial})


def modified_ich_cheung_zou_2003(
    *, age: float | None, nihss: int | None, volume_ml: float | None, ivh: bool | None, infratentorial: bool | None
) -> int:
    """Return the ICH score with NIHSS in place of GCS, 0-6, higher is worse (Cheung and Zou 2003, Stroke 34:1717-1722).

    Parameters and errors are those of `ich_score`, with `nihss` 0-42.
    """
    return MODIFIED_ICH_CHEUNG_ZOU_2003.total(
        {"age": age, "nihss": nihss, "volume_ml": volume_ml, "ivh": ivh, "infratentorial": infratentorial}
    )


def max_ich(
    *,
    age: float | None,
    nihss: int | None,
    volume_ml: float | None,
    lobar: bool | None,
    ivh: bool | None,
    anticoagulation: bool | None,
) -> int:
    """Return the max-ICH score, 0-9, higher is worse (Sembill 2017, Neurology 89:423-431).

    Parameters and errors are those of `ich_score`, with

    nihss
        NIH Stroke Scale, 0-42.
    lobar
        Whether the hematoma is lobar. One hematoma is lobar or nonlobar (deep, cerebellar, brainstem), so that one
        row of volume counts.
    anticoagulation
        Oral anticoagulation at onset.
    """
    return MAX_ICH.total(
        {
            "age": age,
            "nihss": nihss,
            "volume_ml": volume_ml,
            "lobar": lobar,
            "ivh": ivh,
            "anticoagulation": anticoagulation,
        }
    )


def func_score(
    *,
    age: float | None,
    gcs: int | None,
    volume_ml: float | None,
    site: str | None,
    cognitive_impairment: bool | None,
) -> int:
    """Return the FUNC score, 0-11, higher is BETTER (Rost 2008, Stroke 39:2304-2309).

    Parameters and errors are those of `ich_score`, with

    site
        ``"lobar"``, ``"deep"`` or ``"infratentorial"``.
    cognitive_impairment
        Cognitive impairment before the hemorrhage.
    """
    return FUNC.total(
        {
            "age": age,
            "gcs": gcs,
            "volume_ml": volume_ml,
            "site": site,
            "cognitive_impairment": cognitive_impairment,
        }
    )
