"""Addresses of the experiment API."""

from django.urls import path

from apps.experiments import api, api_registry

urlpatterns = [
    path("experiments/", api.ExperimentList.as_view(), name="api-experiment-list"),
    path("experiments/<int:experiment_id>/", api.ExperimentDetail.as_view(), name="api-experiment"),
    path("experiments/<int:experiment_id>/promote/", api_registry.Promote.as_view(), name="api-promote"),
    path("experiments/<int:experiment_id>/retire/", api_registry.Retire.as_view(), name="api-retire"),
    path("experiments/roll-back/", api_registry.RollBack.as_view(), name="api-roll-back"),
]
