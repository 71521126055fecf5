"""Addresses of the CT pages, below patients/<study_id>/ct/."""

from django.urls import path

from apps.imaging import views

app_name = "imaging"
urlpatterns = [
    path("", views.upload, name="upload"),
    path("<int:series_id>/slices/<int:index>.png", views.slice_png, name="slice"),
    path("<int:series_id>/status/", views.status, name="status"),
    path("<int:series_id>/retry/", views.retry, name="retry"),
]
