"""Addresses of the versions, below the codebook."""

from django.urls import path

from apps.crf.versions import views

app_name = "versions"
urlpatterns = [
    path("", views.listing, name="list"),
    path("<int:version_id>/", views.detail, name="detail"),
    path("<int:version_id>/status/", views.status, name="status"),
    path("<int:version_id>/rules/", views.rules, name="rules"),
    path("<int:version_id>/publish/", views.publish, name="publish"),
    path("<int:version_id>/discard/", views.discard, name="discard"),
    path("<str:dictionary_id>.yaml", views.as_yaml, name="yaml"),
]
