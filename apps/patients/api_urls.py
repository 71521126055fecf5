"""Addresses of the patient API."""

from django.urls import path

from apps.patients import api

urlpatterns = [
    path("patients/", api.PatientList.as_view(), name="api-patient-list"),
    path("patients/<str:study_id>/", api.PatientDetail.as_view(), name="api-patient"),
]
