"""Address of the codebook."""

from django.urls import path

from apps.crf.codebook import views

urlpatterns = [path("", views.codebook, name="codebook")]
