"""Every address of the site."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView

from apps.accounts.home import home
from apps.core.health import healthz, readyz
from apps.imaging.viewer import viewer

# With the request's context, so that the notice of simulated data stands on this page too.
handler500 = "apps.core.health.server_error"

urlpatterns = [
    # First, as it is asked most by far.
    path("dicomweb/", include("apps.imaging.dicomweb.urls")),
    path("", home, name="home"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    # Open to all: the sign-in page can be read in either language.
    path("language/setlang/", login_not_required(set_language), name="set_language"),
    path("account/", include("allauth.urls")),
    path("accounts/", include("apps.accounts.urls")),
    path("audit/", include("apps.audit.urls")),
    path("patients/", include("apps.patients.urls")),
    path("patients/<str:study_id>/crf/", include("apps.crf.urls")),
    path("patients/<str:study_id>/ct/", include("apps.imaging.urls")),
    path("patients/<str:study_id>/mask/", include("apps.annotation.urls")),
    path("patients/<str:study_id>/", include("apps.predictions.urls")),
    path("codebook/", include("apps.crf.codebook.urls")),
    path("queries/", include("apps.crf.queries.urls")),
    path("masks/", include("apps.annotation.worklist.urls")),
    path("import/", include("apps.crf.imports.urls")),
    path("double-entry/", include("apps.crf.double_entry.urls")),
    path("viewer/", viewer, name="viewer"),
    path("viewer/<path:route>", viewer, name="viewer-route"),
    path("exports/", include("apps.cohorts.urls")),
    path("experiments/", include("apps.experiments.urls")),
    path("dashboard/", include("apps.analytics.urls")),
    path("api/v1/", include("ichor.api")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
]
