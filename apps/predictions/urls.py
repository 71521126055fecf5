"""Addresses of predictions, below patients/<study_id>/."""

from django.urls import path

from apps.predictions import views, views_explanation

app_name = "predictions"
urlpatterns = [
    path("explanation/", views_explanation.page, name="explanation"),
    path("explanation/status/", views_explanation.status, name="explanation-status"),
    path("explanation/slices/<int:index>.png", views_explanation.slice_png, name="explanation-slice"),
    path("explanation/map.nii.gz", views_explanation.nifti, name="explanation-map"),
    path("prediction/<int:prediction_id>/status/", views.status, name="status"),
    path("prediction/<int:prediction_id>/retry/", views.retry, name="retry"),
]
