"""Addresses of the codebook."""

from django.urls import include, path

from apps.crf.codebook import views

urlpatterns = [
    path("", views.codebook, name="codebook"),
    path("versions/", include("apps.crf.versions.urls")),
    path("<str:dictionary_id>/", views.codebook, name="codebook-version"),
]
