"""Addresses of the patient pages."""

from django.urls import path

from apps.patients import views

app_name = "patients"
urlpatterns = [
    path("", views.listing, name="list"),
    path("enroll/", views.enroll, name="enroll"),
    path("<str:study_id>/", views.detail, name="detail"),
]
