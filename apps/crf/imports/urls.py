"""Addresses of imports."""

from django.urls import path

from apps.crf.imports import views

app_name = "imports"
urlpatterns = [
    path("", views.listing, name="list"),
    path("<int:import_id>/", views.detail, name="detail"),
    path("<int:import_id>/status/", views.status, name="status"),
    path("<int:import_id>/retry/", views.retry, name="retry"),
    path("<int:import_id>/run/", views.run, name="run"),
    path("<int:import_id>/report.csv", views.report, name="report"),
]
