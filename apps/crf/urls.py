"""Addresses of the case report forms, below a patient's: the main one, and each further one by its place."""

from django.urls import path

from apps.crf import views, views_draft
from apps.crf.queries.views import of_variable

app_name = "crf"
urlpatterns = [
    path("", views.form, name="form"),
    path("history/<str:variable>/", views.history, name="history"),
    path("draft/", views_draft.keep, name="draft"),
    path("draft/discard/", views_draft.discard, name="draft-discard"),
    path("<str:form>/<str:visit>/<int:instance>/", views.form, name="further"),
    path("<str:form>/<str:visit>/<int:instance>/draft/", views_draft.keep, name="further-draft"),
    path("<str:form>/<str:visit>/<int:instance>/draft/discard/", views_draft.discard, name="further-draft-discard"),
    path("<str:form>/<str:visit>/<int:instance>/history/<str:variable>/", views.history, name="further-history"),
    path("queries/<str:variable>/", of_variable, name="queries"),
    path("<str:form>/<str:visit>/<int:instance>/queries/<str:variable>/", of_variable, name="further-queries"),
]
