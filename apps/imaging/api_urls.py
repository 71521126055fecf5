"""Addresses of the CT API."""

from django.urls import path

from apps.imaging import api

urlpatterns = [
    path("patients/<str:study_id>/series/", api.SeriesList.as_view(), name="api-series-list"),
    path("patients/<str:study_id>/series/<int:series_id>/", api.SeriesDetail.as_view(), name="api-series"),
]
