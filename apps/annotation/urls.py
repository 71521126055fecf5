"""Addresses of the mask pages, below patients/<study_id>/mask/."""

from django.urls import path

from apps.annotation import views, views_compare, views_outline, views_version

app_name = "annotation"
urlpatterns = [
    path("", views.upload, name="upload"),
    path("outline/", views_outline.outline, name="outline"),
    path("outline/labels/", views_outline.labels, name="outline-labels"),
    path("outline/save/", views_outline.save, name="outline-save"),
    path("outline/submit/", views_outline.submit, name="outline-submit"),
    path("outline/suggestion/", views_outline.suggestion, name="outline-suggestion"),
    path("outline/again/", views_outline.begin_again, name="outline-again"),
    path("<int:version>/", views_version.version, name="version"),
    path("<int:version>/against/<int:other>/", views_compare.against, name="against"),
    path("<int:version>/labels/", views_version.labels, name="version-labels"),
    path("<int:version>/mask.<str:suffix>", views_version.download, name="version-file"),
    path("<int:version>/approve/", views_version.approve, name="approve"),
    path("<int:version>/return/", views_version.give_back, name="return"),
]
