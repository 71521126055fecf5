"""Addresses of the case report form, below a patient's."""

from django.urls import path

from apps.crf import views
from apps.crf.queries.views import of_variable

app_name = "crf"
urlpatterns = [
    path("", views.form, name="form"),
    path("history/<str:variable>/", views.history, name="history"),
    path("queries/<str:variable>/", of_variable, name="queries"),
]
