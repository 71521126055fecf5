"""API addresses of exports."""

from django.urls import path

from apps.cohorts import api

urlpatterns = [
    path("exports/", api.ExportList.as_view(), name="api-export-list"),
    path("exports/<int:export_id>/", api.ExportDetail.as_view(), name="api-export"),
    path("exports/<int:export_id>/file/", api.ExportFile.as_view(), name="api-export-file"),
]
