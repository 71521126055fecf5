"""Addresses of the worklist of masks."""

from django.urls import path

from apps.annotation.worklist import views

app_name = "masks"
urlpatterns = [path("", views.listing, name="list")]
