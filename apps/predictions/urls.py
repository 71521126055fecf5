"""Addresses of predictions, below patients/<study_id>/prediction/."""

from django.urls import path

from apps.predictions import views

app_name = "predictions"
urlpatterns = [
    path("<int:prediction_id>/status/", views.status, name="status"),
    path("<int:prediction_id>/retry/", views.retry, name="retry"),
]
