"""Addresses of double entry."""

from django.urls import path

from apps.crf.double_entry import views, views_agreement

app_name = "double-entry"
urlpatterns = [
    path("", views.listing, name="list"),
    path("reconcile/", views.reconcile_listing, name="to-reconcile"),
    path("agreement/", views_agreement.agreement, name="agreement"),
    path("agreement.csv", views_agreement.agreement_csv, name="agreement-csv"),
    path("<int:entry_id>/", views.entry, name="entry"),
    path("<int:entry_id>/typed/", views.keep, name="keep"),
    path("<int:entry_id>/submit/", views.submit, name="submit"),
    path("<int:entry_id>/give-up/", views.give_up, name="give-up"),
    path("<int:entry_id>/reconcile/", views.reconciliation, name="reconcile"),
]
