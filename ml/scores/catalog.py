"""The published scores, item by item.

Every table is restated from its paper. "Modified ICH" names at least four different scores, so names carry author and
year.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ml.scores.definition import Band, Cut, OutcomeTable, ScoreDefinition, ScoreItem

# ABC/2 puts about 7 % of hematomas on the other side of 30 mL than planimetry does; 5 mL either way is shown as near
# the cut.
CUT_30_ML = Cut(at=30, low=25, high=35)

_IVH = ScoreItem("Intraventricular hemorrhage", "ivh", (Band(0, equals=False), Band(1, equals=True)))
_VOLUME_30 = ScoreItem("Volume, mL", "volume_ml", (Band(0, less_than=30), Band(1, at_least=30)), cut=CUT_30_ML)
_INFRATENTORIAL = ScoreItem("Infratentorial origin", "infratentorial", (Band(0, equals=False), Band(1, equals=True)))
_AGE_80 = ScoreItem("Age, years", "age", (Band(0, less_than=80), Band(1, at_least=80)))

ICH_SCORE = ScoreDefinition(
    key="ich_score",
    name="ICH score (Hemphill 2001)",
    citation=(
        "Hemphill JC 3rd, Bonovich DC, Besmertis L, Manley GT, Johnston SC. The ICH score: a simple, reliable grading "
        "scale for intracerebral hemorrhage. Stroke 2001;32:891-897."
    ),
    version="1",
    minimum=0,
    maximum=6,
    higher_is_worse=True,
    inputs=("age", "gcs", "volume_ml", "ivh", "infratentorial"),
    items=(
        ScoreItem(
            "Glasgow Coma Scale",
            "gcs",
            (Band(0, at_least=13, at_most=15), Band(1, at_least=5, at_most=12), Band(2, at_least=3, at_most=4)),
        ),
        _VOLUME_30,
        _IVH,
        _INFRATENTORIAL,
        _AGE_80,
    ),
    outcome=OutcomeTable(
        outcome="death within 30 days",
        cohort=(
            "Derivation cohort of the paper, 152 patients; nobody had a score of 6. Observed rates of one hospital, "
            "not a prediction for a patient."
        ),
        rates=MappingProxyType({0: 0.0, 1: 0.13, 2: 0.26, 3: 0.72, 4: 0.97, 5: 1.0, 6: None}),
    ),
)

ICH_GS = ScoreDefinition(
    key="ich_gs",
    name="ICH-GS (Ruiz-Sandoval 2007)",
    citation=(
        "Ruiz-Sandoval JL, Chiquete E, Romero-Vargas S, Padilla-Martinez JJ, Gonzalez-Cornejo S. Grading scale for "
        "prediction of outcome in primary intracerebral hemorrhages. Stroke 2007;38:1641-1644."
    ),
    doi="10.1161/STROKEAHA.106.478222",
    version="1",
    minimum=5,
    maximum=13,
    higher_is_worse=True,
    inputs=("age", "gcs", "volume_ml", "ivh", "infratentorial"),
    items=(
        ScoreItem("Age, years", "age", (Band(1, less_than=45), Band(2, at_least=45, at_most=64), Band(3, at_least=65))),
        ScoreItem(
            "Glasgow Coma Scale",
            "gcs",
            (Band(1, at_least=13, at_most=15), Band(2, at_least=9, at_most=12), Band(3, at_least=3, at_most=8)),
        ),
        ScoreItem("Infratentorial location", "infratentorial", (Band(1, equals=False), Band(2, equals=True))),
        ScoreItem(
            "Volume, supratentorial, mL",
            "volume_ml",
            (Band(1, less_than=40), Band(2, at_least=40, at_most=70), Band(3, more_than=70)),
            only_if=("infratentorial", False),
        ),
        ScoreItem(
            "Volume, infratentorial, mL",
            "volume_ml",
            (Band(1, less_than=10), Band(2, at_least=10, at_most=20), Band(3, more_than=20)),
            only_if=("infratentorial", True),
        ),
        ScoreItem("Extension to the ventricles", "ivh", (Band(1, equals=False), Band(2, equals=True))),
    ),
)

MODIFIED_ICH_CHEUNG_ZOU_2003 = ScoreDefinition(
    key="modified_ich_cheung_zou_2003",
    name="Modified ICH score (Cheung and Zou 2003)",
    citation=(
        "Cheung RT, Zou LY. Use of the original, modified, or new intracerebral hemorrhage score to predict mortality "
        "and morbidity after intracerebral hemorrhage. Stroke 2003;34:1717-1722."
    ),
    version="1",
    minimum=0,
    maximum=6,
    higher_is_worse=True,
    inputs=("age", "nihss", "volume_ml", "ivh", "infratentorial"),
    items=(
        ScoreItem(
            "NIH Stroke Scale",
            "nihss",
            (Band(0, at_least=0, at_most=10), Band(1, at_least=11, at_most=20), Band(2, at_least=21)),
        ),
        _VOLUME_30,
        _IVH,
        _INFRATENTORIAL,
        _AGE_80,
    ),
)

# Some sources print a maximum of 10, which scores the lobar and the nonlobar row together; one hematoma is one or the
# other.
MAX_ICH = ScoreDefinition(
    key="max_ich",
    name="max-ICH score (Sembill 2017)",
    citation=(
        "Sembill JA, Gerner ST, Volbers B, et al. Severity assessment in maximally treated ICH patients: the max-ICH "
        "score. Neurology 2017;89:423-431."
    ),
    version="1",
    minimum=0,
    maximum=9,
    higher_is_worse=True,
    inputs=("age", "nihss", "volume_ml", "lobar", "ivh", "anticoagulation"),
    items=(
        ScoreItem(
            "NIH Stroke Scale",
            "nihss",
            (
                Band(0, at_least=0, at_most=6),
                Band(1, at_least=7, at_most=13),
                Band(2, at_least=14, at_most=20),
                Band(3, at_least=21),
            ),
        ),
        ScoreItem(
            "Age, years",
            "age",
            (
                Band(0, at_most=69),
                Band(1, at_least=70, at_most=74),
                Band(2, at_least=75, at_most=79),
                Band(3, at_least=80),
            ),
        ),
        ScoreItem(
            "Volume, lobar, mL",
            "volume_ml",
            (Band(0, less_than=30), Band(1, at_least=30)),
            only_if=("lobar", True),
            cut=CUT_30_ML,
        ),
        ScoreItem(
            "Volume, nonlobar, mL",
            "volume_ml",
            (Band(0, less_than=10), Band(1, at_least=10)),
            only_if=("lobar", False),
        ),
        _IVH,
        ScoreItem("Oral anticoagulation", "anticoagulation", (Band(0, equals=False), Band(1, equals=True))),
    ),
)

FUNC = ScoreDefinition(
    key="func_score",
    name="FUNC score (Rost 2008)",
    citation=(
        "Rost NS, Smith EE, Chang Y, et al. Prediction of functional outcome in patients with primary intracerebral "
        "hemorrhage: the FUNC score. Stroke 2008;39:2304-2309."
    ),
    doi="10.1161/STROKEAHA.107.512202",
    version="1",
    minimum=0,
    maximum=11,
    higher_is_worse=False,
    inputs=("age", "gcs", "volume_ml", "site", "cognitive_impairment"),
    items=(
        ScoreItem(
            "Volume, mL",
            "volume_ml",
            (Band(4, less_than=30), Band(2, at_least=30, at_most=60), Band(0, more_than=60)),
            cut=CUT_30_ML,
        ),
        ScoreItem("Age, years", "age", (Band(2, less_than=70), Band(1, at_least=70, at_most=79), Band(0, at_least=80))),
        ScoreItem(
            "Hematoma site",
            "site",
            (Band(2, equals="lobar"), Band(1, equals="deep"), Band(0, equals="infratentorial")),
        ),
        ScoreItem("Glasgow Coma Scale", "gcs", (Band(2, at_least=9), Band(0, at_most=8))),
        ScoreItem(
            "Cognitive impairment before the hemorrhage",
            "cognitive_impairment",
            (Band(1, equals=False), Band(0, equals=True)),
        ),
    ),
)

SCORES: Mapping[str, ScoreDefinition] = MappingProxyType(
    {score.key: score for score in (ICH_SCORE, ICH_GS, MODIFIED_ICH_CHEUNG_ZOU_2003, MAX_ICH, FUNC)}
)
