"""Addresses of the case report form's API."""

from django.urls import path

from apps.crf import api
from apps.crf.double_entry import api as double_entry
from apps.crf.imports import api as imports
from apps.crf.queries import api as queries
from apps.crf.signatures import api as signing
from apps.crf.versions import api as versions

# The main form, and each further one by its place.
MAIN = "patients/<str:study_id>/crf/"
FURTHER = f"{MAIN}<str:form>/<str:visit>/<int:instance>/"

urlpatterns = [
    path(MAIN, api.CrfView.as_view(), name="api-crf"),
    path("patients/<str:study_id>/forms/", api.ScheduleView.as_view(), name="api-forms"),
    path(FURTHER, api.FurtherFormView.as_view(), name="api-further-form"),
    path(f"{MAIN}signatures/", signing.SignaturesView.as_view(), name="api-signatures"),
    path(f"{MAIN}signatures/<int:signature_id>/withdraw/", signing.WithdrawView.as_view(), name="api-withdraw"),
    path(f"{MAIN}lock/", signing.LockView.as_view(), name="api-lock"),
    path(f"{MAIN}unlock/", signing.UnlockView.as_view(), name="api-unlock"),
    path(f"{FURTHER}signatures/", signing.FurtherSignaturesView.as_view(), name="api-further-signatures"),
    path(
        f"{FURTHER}signatures/<int:signature_id>/withdraw/",
        signing.FurtherWithdrawView.as_view(),
        name="api-further-withdraw",
    ),
    path(f"{FURTHER}lock/", signing.FurtherLockView.as_view(), name="api-further-lock"),
    path(f"{FURTHER}unlock/", signing.FurtherUnlockView.as_view(), name="api-further-unlock"),
    path(f"{MAIN}second-entry/", double_entry.StartView.as_view(), name="api-second-entry"),
    path(f"{FURTHER}second-entry/", double_entry.FurtherStartView.as_view(), name="api-further-second-entry"),
    path("double-entry/", double_entry.AwaitingList.as_view(), name="api-double-entry-list"),
    path("double-entry/reconcile/", double_entry.ToReconcileList.as_view(), name="api-to-reconcile"),
    path("double-entry/agreement/", double_entry.AgreementView.as_view(), name="api-agreement"),
    path("double-entry/<int:entry_id>/", double_entry.EntryView.as_view(), name="api-double-entry"),
    path("double-entry/<int:entry_id>/submit/", double_entry.SubmitView.as_view(), name="api-double-entry-submit"),
    path("double-entry/<int:entry_id>/give-up/", double_entry.GiveUpView.as_view(), name="api-double-entry-give-up"),
    path("double-entry/<int:entry_id>/reconcile/", double_entry.ReconcileView.as_view(), name="api-reconcile"),
    path("dictionary/", api.DictionaryView.as_view(), name="api-dictionary"),
    path("dictionary/redcap.csv", api.RedcapView.as_view(), name="api-dictionary-redcap"),
    path("dictionary/versions/", versions.VersionList.as_view(), name="api-version-list"),
    path("dictionary/versions/<int:version_id>/", versions.VersionDetail.as_view(), name="api-version"),
    path(
        "dictionary/versions/<int:version_id>/publish/", versions.VersionPublish.as_view(), name="api-version-publish"
    ),
    path("imports/", imports.ImportList.as_view(), name="api-import-list"),
    path("imports/<int:import_id>/", imports.ImportDetail.as_view(), name="api-import"),
    path("imports/<int:import_id>/run/", imports.ImportRun.as_view(), name="api-import-run"),
    path("imports/<int:import_id>/report.csv", imports.ImportReport.as_view(), name="api-import-report"),
    path("queries/", queries.QueryList.as_view(), name="api-query-list"),
    path("queries/bulk/", queries.QueryBulk.as_view(), name="api-query-bulk"),
    path("queries/runs/", queries.RunList.as_view(), name="api-rule-run-list"),
    path("queries/runs/<int:run_id>/", queries.RunDetail.as_view(), name="api-rule-run"),
    path("queries/<int:query_id>/", queries.QueryDetail.as_view(), name="api-query"),
    path("queries/<int:query_id>/answer/", queries.Answer.as_view(), name="api-query-answer"),
    path("queries/<int:query_id>/close/", queries.Close.as_view(), name="api-query-close"),
    path("queries/<int:query_id>/reopen/", queries.Reopen.as_view(), name="api-query-reopen"),
    path("queries/<int:query_id>/assign/", queries.Assign.as_view(), name="api-query-assign"),
]
