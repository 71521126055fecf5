"""Addresses of the audit trail."""

from django.urls import path

from apps.audit import views

app_name = "audit"
urlpatterns = [
    path("", views.listing, name="list"),
    path("download/", views.download, name="download"),
]
