"""Addresses of the mask API."""

from django.urls import path

from apps.annotation import api

urlpatterns = [path("patients/<str:study_id>/masks/", api.MaskList.as_view(), name="api-mask-list")]
