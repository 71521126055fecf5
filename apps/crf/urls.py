"""Addresses of the case report form, below a patient's."""

from django.urls import path

from apps.crf import views
from apps.crf.models import Part
from apps.crf.signatures import views as signing

app_name = "crf"
urlpatterns = [
    path("", views.form, name="form"),
    path("history/<str:variable>/", views.history, name="history"),
    path("sign/", signing.sign, {"part": Part.FORM}, name="sign"),
    path("sign-outcome/", signing.sign, {"part": Part.OUTCOME}, name="sign-outcome"),
    path("lock/", signing.lock, name="lock"),
    path("unlock/", signing.unlock, name="unlock"),
    path("signatures/<int:signature_id>/withdraw/", signing.withdraw, name="withdraw"),
]
