"""Addresses of the mask pages, below patients/<study_id>/mask/."""

from django.urls import path

from apps.annotation import views

app_name = "annotation"
urlpatterns = [path("", views.upload, name="upload")]
