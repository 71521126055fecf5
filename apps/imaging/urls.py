"""Addresses of the CT pages, below patients/<study_id>/ct/."""

from django.urls import path

from apps.imaging import views, views_held
from apps.imaging.exchange import views as exchange

app_name = "imaging"
urlpatterns = [
    path("", views.upload, name="upload"),
    path("choice/", views.choose, name="choose"),
    path("held/", views_held.held_list, name="held"),
    path("held/decide/", views_held.decide, name="decide"),
    path("held/<int:held_id>.png", views_held.held_png, name="held-picture"),
    path("archive/", exchange.archive, name="archive"),
    path("archive/fetch/", exchange.fetch, name="fetch"),
    path("archive/send/", exchange.send, name="send"),
    path("archive/<int:transfer_id>/status/", exchange.transfer_status, name="transfer-status"),
    path("archive/<int:transfer_id>/retry/", exchange.retry_transfer, name="transfer-retry"),
    path("<int:series_id>/slices/<int:index>.png", views.slice_png, name="slice"),
    path("<int:series_id>/hu/", views.hounsfield, name="hu"),
    path("<int:series_id>/status/", views.status, name="status"),
    path("<int:series_id>/retry/", views.retry, name="retry"),
]
