"""Addresses of the experiment pages."""

from django.urls import path

from apps.experiments import views

app_name = "experiments"
urlpatterns = [
    path("", views.listing, name="list"),
    path("new/", views.create, name="create"),
    path("<int:experiment_id>/", views.detail, name="detail"),
    path("<int:experiment_id>/status/", views.status, name="status"),
    path("<int:experiment_id>/retry/", views.retry, name="retry"),
]
