"""Addresses of the case report form's API."""

from django.urls import path

from apps.crf import api

urlpatterns = [
    path("patients/<str:study_id>/crf/", api.CrfView.as_view(), name="api-crf"),
    path("dictionary/", api.DictionaryView.as_view(), name="api-dictionary"),
    path("dictionary/redcap.csv", api.RedcapView.as_view(), name="api-dictionary-redcap"),
]
