"""Who may do what: the nine roles, the permissions, and the one matrix that joins them."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    COORDINATOR = "coordinator", _("Coordinator")
    ANNOTATOR = "annotator", _("Annotator")
    REVIEWER = "reviewer", _("Reviewer")
    ASSESSOR = "assessor", _("Outcome assessor")
    DATA_MANAGER = "data_manager", _("Data manager")
    PI = "pi", _("Principal investigator")
    SCIENTIST = "scientist", _("Scientist")
    MONITOR = "monitor", _("Monitor")
    ADMINISTRATOR = "administrator", _("Administrator")


class Permission(StrEnum):
    VIEW_PATIENTS = "view_patients"
    ENROLL = "enroll"
    VIEW_CRF = "view_crf"
    VIEW_CODEBOOK = "view_codebook"
    MANAGE_DICTIONARY = "manage_dictionary"
    ENTER_CRF = "enter_crf"
    ENTER_OUTCOME = "enter_outcome"
    IMPORT_CRF = "import_crf"
    VIEW_QUERIES = "view_queries"
    VIEW_ALL_QUERIES = "view_all_queries"
    OPEN_QUERIES = "open_queries"
    ANSWER_QUERIES = "answer_queries"
    MANAGE_QUERIES = "manage_queries"
    RECONCILE = "reconcile"
    VIEW_AGREEMENT = "view_agreement"
    LOCK_FORMS = "lock_forms"
    SIGN_FORMS = "sign_forms"
    SIGN_OUTCOME = "sign_outcome"
    VIEW_IMAGING = "view_imaging"
    UPLOAD_CT = "upload_ct"
    UPLOAD_MASK = "upload_mask"
    REVIEW_MASK = "review_mask"
    VIEW_MASK_WORK = "view_mask_work"
    ASSIGN_MASKS = "assign_masks"
    VIEW_MASK_AGREEMENT = "view_mask_agreement"
    VIEW_SCORES = "view_scores"
    VIEW_PREDICTIONS = "view_predictions"
    VIEW_DASHBOARD = "view_dashboard"
    VIEW_EXPERIMENTS = "view_experiments"
    RUN_EXPERIMENTS = "run_experiments"
    PROMOTE_MODELS = "promote_models"
    EXPORT_DATA = "export_data"
    VIEW_AUDIT = "view_audit"
    MANAGE_ACCOUNTS = "manage_accounts"


P = Permission
_READ = frozenset({P.VIEW_PATIENTS, P.VIEW_CRF, P.VIEW_CODEBOOK, P.VIEW_IMAGING})
PROGNOSIS = frozenset({P.VIEW_SCORES, P.VIEW_PREDICTIONS})
# VIEW_QUERIES alone shows those on outcomes, without what a rule tells of the image.
_QUERIES = frozenset({P.VIEW_QUERIES, P.VIEW_ALL_QUERIES})
_MASK_WORK = frozenset({P.VIEW_MASK_WORK, P.ASSIGN_MASKS, P.VIEW_MASK_AGREEMENT})

# The outcome assessor is blinded: no score, no prediction, no dashboard. The scientist works with pseudonymous
# cohort data and never opens a patient. The administrator sees accounts and no clinical data.
MATRIX: dict[Role, frozenset[Permission]] = {
    Role.COORDINATOR: _READ
    | PROGNOSIS
    | _QUERIES
    | {P.ANSWER_QUERIES}
    | {P.RECONCILE}
    | {P.ENROLL, P.ENTER_CRF, P.IMPORT_CRF, P.ENTER_OUTCOME, P.UPLOAD_CT, P.EXPORT_DATA}
    | {P.UPLOAD_MASK, P.VIEW_MASK_WORK},
    Role.ANNOTATOR: frozenset({P.VIEW_PATIENTS, P.VIEW_IMAGING, P.UPLOAD_MASK, P.VIEW_MASK_WORK}),
    Role.REVIEWER: frozenset({P.VIEW_PATIENTS, P.VIEW_IMAGING, P.UPLOAD_MASK, P.REVIEW_MASK}) | _MASK_WORK,
    Role.ASSESSOR: _READ | {P.ENTER_OUTCOME, P.SIGN_OUTCOME, P.VIEW_QUERIES, P.ANSWER_QUERIES},
    Role.DATA_MANAGER: _READ
    | PROGNOSIS
    | _QUERIES
    | {P.OPEN_QUERIES, P.MANAGE_QUERIES}
    | {P.RECONCILE, P.VIEW_AGREEMENT, P.MANAGE_DICTIONARY}
    | _MASK_WORK
    | {P.ENTER_CRF, P.IMPORT_CRF, P.LOCK_FORMS, P.VIEW_DASHBOARD, P.VIEW_EXPERIMENTS, P.VIEW_AUDIT, P.EXPORT_DATA},
    Role.PI: _READ
    | PROGNOSIS
    | _QUERIES
    | {P.OPEN_QUERIES}
    | {P.RECONCILE, P.VIEW_AGREEMENT, P.VIEW_MASK_WORK, P.VIEW_MASK_AGREEMENT}
    | {P.SIGN_FORMS, P.VIEW_DASHBOARD, P.VIEW_EXPERIMENTS, P.PROMOTE_MODELS, P.VIEW_AUDIT, P.EXPORT_DATA},
    Role.SCIENTIST: frozenset(
        {P.VIEW_CODEBOOK, P.VIEW_DASHBOARD, P.VIEW_EXPERIMENTS, P.RUN_EXPERIMENTS, P.PROMOTE_MODELS, P.EXPORT_DATA}
    ),
    Role.MONITOR: _READ
    | _QUERIES
    | {P.OPEN_QUERIES, P.VIEW_AGREEMENT, P.VIEW_AUDIT, P.VIEW_MASK_WORK, P.VIEW_MASK_AGREEMENT},
    Role.ADMINISTRATOR: frozenset({P.MANAGE_ACCOUNTS}),
}

# What an assessor's role takes away in its center, whatever else the person is there: all that shows a score or a
# prediction, of one patient or of many. PROGNOSIS alone comes back, for a patient whose outcome he has signed
# (apps/patients/blinding.py).
BLINDED = PROGNOSIS | {
    P.VIEW_DASHBOARD,
    P.VIEW_EXPERIMENTS,
    P.RUN_EXPERIMENTS,
    P.PROMOTE_MODELS,
    P.EXPORT_DATA,
}

# These roles belong to one center; the others may be given for one center or for all.
CENTER_ROLES = frozenset({Role.COORDINATOR})


def roles_with(permission: Permission) -> list[Role]:
    """Return the roles that hold a permission."""
    return [role for role, granted in MATRIX.items() if permission in granted]
