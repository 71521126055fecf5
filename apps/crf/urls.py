"""Addresses of the case report forms, below a patient's: the main one, and each further one by its place."""

from django.urls import path

from apps.crf import views, views_draft
from apps.crf.double_entry.views import start
from apps.crf.models import Part
from apps.crf.queries.views import of_variable
from apps.crf.signatures import views as signing

PLACE = "<str:form>/<str:visit>/<int:instance>/"

app_name = "crf"
urlpatterns = [
    path("", views.form, name="form"),
    path("history/<str:variable>/", views.history, name="history"),
    path("draft/", views_draft.keep, name="draft"),
    path("draft/discard/", views_draft.discard, name="draft-discard"),
    path("queries/<str:variable>/", of_variable, name="queries"),
    path("sign/", signing.sign, {"part": Part.FORM}, name="sign"),
    path("sign-outcome/", signing.sign, {"part": Part.OUTCOME}, name="sign-outcome"),
    path("lock/", signing.lock, name="lock"),
    path("unlock/", signing.unlock, name="unlock"),
    path("signatures/<int:signature_id>/withdraw/", signing.withdraw, name="withdraw"),
    path("second-entry/", start, name="second-entry"),
    path(PLACE, views.form, name="further"),
    path(f"{PLACE}second-entry/", start, name="further-second-entry"),
    path(f"{PLACE}history/<str:variable>/", views.history, name="further-history"),
    path(f"{PLACE}draft/", views_draft.keep, name="further-draft"),
    path(f"{PLACE}draft/discard/", views_draft.discard, name="further-draft-discard"),
    path(f"{PLACE}queries/<str:variable>/", of_variable, name="further-queries"),
    path(f"{PLACE}sign/", signing.sign, {"part": Part.FORM}, name="further-sign"),
    path(f"{PLACE}lock/", signing.lock, name="further-lock"),
    path(f"{PLACE}unlock/", signing.unlock, name="further-unlock"),
    path(f"{PLACE}signatures/<int:signature_id>/withdraw/", signing.withdraw, name="further-withdraw"),
]
