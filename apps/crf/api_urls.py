"""Addresses of the case report form's API."""

from django.urls import path

from apps.crf import api

urlpatterns = [
    path("patients/<str:study_id>/crf/", api.CrfView.as_view(), name="api-crf"),
    path("patients/<str:study_id>/forms/", api.ScheduleView.as_view(), name="api-forms"),
    path(
        "patients/<str:study_id>/crf/<str:form>/<str:visit>/<int:instance>/",
        api.FurtherFormView.as_view(),
        name="api-further-form",
    ),
    path("dictionary/", api.DictionaryView.as_view(), name="api-dictionary"),
    path("dictionary/redcap.csv", api.RedcapView.as_view(), name="api-dictionary-redcap"),
]
