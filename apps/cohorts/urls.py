"""Addresses of exports."""

from django.urls import path

from apps.cohorts import views

app_name = "exports"
urlpatterns = [
    path("", views.listing, name="list"),
    path("<int:export_id>/status/", views.status, name="status"),
    path("<int:export_id>/retry/", views.retry, name="retry"),
    path("<int:export_id>/download/", views.download, name="download"),
]
