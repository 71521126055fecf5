"""Addresses of the experiment API."""

from django.urls import path

from apps.experiments import api

urlpatterns = [
    path("experiments/", api.ExperimentList.as_view(), name="api-experiment-list"),
    path("experiments/<int:experiment_id>/", api.ExperimentDetail.as_view(), name="api-experiment"),
]
