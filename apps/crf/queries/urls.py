"""Addresses of the queries."""

from django.urls import path

from apps.crf.queries import views

app_name = "queries"
urlpatterns = [
    path("", views.listing, name="list"),
    path("open/", views.open_many, name="open"),
    path("bulk/", views.bulk, name="bulk"),
    path("runs/", views.run, name="run"),
    path("runs/<int:run_id>/", views.run_status, name="run-status"),
    path("runs/<int:run_id>/retry/", views.run_retry, name="run-retry"),
    path("<int:query_id>/", views.thread, name="thread"),
    path("<int:query_id>/answer/", views.answer, name="answer"),
    path("<int:query_id>/close/", views.close, name="close"),
    path("<int:query_id>/reopen/", views.reopen, name="reopen"),
    path("<int:query_id>/assign/", views.assign, name="assign"),
]
