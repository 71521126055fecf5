"""Addresses of the prognosis API."""

from django.urls import path

from apps.predictions import api

urlpatterns = [
    path("patients/<str:study_id>/scores/", api.PatientScores.as_view(), name="api-scores"),
    path("patients/<str:study_id>/prediction/", api.PatientPrognosis.as_view(), name="api-prediction"),
    path("patients/<str:study_id>/explanation/", api.PatientExplanation.as_view(), name="api-explanation"),
]
