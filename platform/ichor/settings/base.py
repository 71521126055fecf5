"""Settings that every profile shares. Each profile module imports these and says only what differs."""

import os
from pathlib import Path

from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

ROOT = Path(__file__).resolve().parents[3]
# Everything that the platform writes on this machine lies below one folder.
VAR = Path(os.environ.get("ICHOR_VAR", ROOT / "var"))

STUDY_NAME = os.environ.get("ICHOR_STUDY_NAME", "ICH Outcome Research")
# True only in a study that was filled with simulated patients; puts the notice on every page.
DEMONSTRATION = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    # Before allauth, so that our pages stand in for its own.
    "apps.core",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "csp",
    "apps.accounts",
    "apps.audit",
    "apps.patients",
    "apps.crf",
    "apps.imaging",
    "apps.annotation",
    "apps.cohorts",
    "apps.experiments",
    "apps.predictions",
    "apps.analytics",
    "apps.demonstration",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "apps.imaging.dicomweb.middleware.DicomwebTokenMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.core.middleware.RefusalMiddleware",
]

ROOT_URLCONF = "ichor.urls"
WSGI_APPLICATION = "ichor.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.core.context.study",
                "apps.accounts.context.actor",
                "apps.demonstration.context.accounts",
            ],
        },
    }
]

# Accounts
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "apps.accounts.adapter.ClosedAccountAdapter"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# Language and time: stored and shown in UTC, so that centers in different time zones read the same clock.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [ROOT / "apps" / "core" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Files
STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [ROOT / "frontend" / "dist"]
# OHIF's files, which ask for one another at the site's root (docs/adr/0009).
WHITENOISE_ROOT = ROOT / "frontend" / "ohif" / "dist"
# A digest in a name, as OHIF and the manifest of static files write it: the browser need never ask again.
WHITENOISE_IMMUTABLE_FILE_TEST = r"(^/|\.)([0-9a-f]{12}|[0-9a-f]{20})\.\w+$"
STORAGES = {
    "default": {
        "BACKEND": "apps.core.storage.WholeFileStorage",
        "OPTIONS": {"location": VAR / "store"},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Training runs: checkpoints are written and renamed in place, which an object store can't do.
RUNS_DIR = VAR / "runs"
# Uploads stay in memory until identity is removed: nothing that names a patient may touch the disk.
FILE_UPLOAD_HANDLERS = ["apps.core.uploads.MemoryOnlyUploadHandler"]
UPLOAD_MAX_BYTES = 600 * 1024**2
UPLOAD_MAX_FILES = 5000
# Counted by the upload handler, whose refusal is a sentence.
DATA_UPLOAD_MAX_NUMBER_FILES = None
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Jobs. The Job row is the truth; the broker only carries its number, so a lost message costs nothing but a re-queue.
CELERY_TASK_DEFAULT_QUEUE = "imaging"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE = {
    "requeue-lost-jobs": {"task": "apps.core.tasks.requeue_lost_jobs", "schedule": 60.0},
    "sweep-store": {"task": "apps.core.tasks.sweep_store", "schedule": crontab(hour="1", minute="17")},
}
JOB_HEARTBEAT_SECONDS = 5
JOB_LOST_AFTER_SECONDS = 60

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "apps.core.api.problem_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Ichor",
    "DESCRIPTION": "ICH Outcome Research: patients, forms, head CT, masks and predictions. Research use only.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("ICHOR_LOG_LEVEL", "WARNING")},
    "loggers": {
        # pydicom warns with the values of broken elements, and those can hold identity.
        "pydicom": {"level": "CRITICAL"},
    },
}
