"""Addresses of the worklist of masks."""

from django.urls import path

from apps.annotation.double_reading import views as double_reading
from apps.annotation.worklist import views

app_name = "masks"
urlpatterns = [
    path("", views.listing, name="list"),
    path("assign/", double_reading.ask, name="assign"),
    path("agreement/", double_reading.agreement, name="agreement"),
    path("agreement.csv", double_reading.agreement_csv, name="agreement-csv"),
]
