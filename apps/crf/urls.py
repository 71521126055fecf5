"""Addresses of the case report form, below a patient's."""

from django.urls import path

from apps.crf import views

app_name = "crf"
urlpatterns = [
    path("", views.form, name="form"),
    path("history/<str:variable>/", views.history, name="history"),
]
