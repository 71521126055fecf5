"""Addresses of the case report form's API."""

from django.urls import path

from apps.crf import api
from apps.crf.signatures import api as signing

urlpatterns = [
    path("patients/<str:study_id>/crf/", api.CrfView.as_view(), name="api-crf"),
    path("patients/<str:study_id>/crf/signatures/", signing.SignaturesView.as_view(), name="api-signatures"),
    path(
        "patients/<str:study_id>/crf/signatures/<int:signature_id>/withdraw/",
        signing.WithdrawView.as_view(),
        name="api-withdraw",
    ),
    path("patients/<str:study_id>/crf/lock/", signing.LockView.as_view(), name="api-lock"),
    path("patients/<str:study_id>/crf/unlock/", signing.UnlockView.as_view(), name="api-unlock"),
    path("dictionary/", api.DictionaryView.as_view(), name="api-dictionary"),
    path("dictionary/redcap.csv", api.RedcapView.as_view(), name="api-dictionary-redcap"),
]
