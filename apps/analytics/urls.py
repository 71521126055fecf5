"""Addresses of the analytics pages."""

from django.urls import path

from apps.analytics import views

app_name = "analytics"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("<slug:name>.csv", views.table, name="table"),
]
