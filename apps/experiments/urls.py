"""Addresses of the experiment pages."""

from django.urls import path

from apps.experiments import views, views_registry

app_name = "experiments"
urlpatterns = [
    path("", views.listing, name="list"),
    path("new/", views.create, name="create"),
    path("<int:experiment_id>/", views.detail, name="detail"),
    path("<int:experiment_id>/status/", views.status, name="status"),
    path("<int:experiment_id>/curves/", views.curves, name="curves"),
    path("<int:experiment_id>/model/", views_registry.model_card, name="model-card"),
    path("<int:experiment_id>/promote/", views_registry.promote, name="promote"),
    path("<int:experiment_id>/retire/", views_registry.retire, name="retire"),
    path("roll-back/", views_registry.roll_back, name="roll-back"),
    path("<int:experiment_id>/retry/", views.retry, name="retry"),
    path("<int:experiment_id>/stop/", views.stop, name="stop"),
]
