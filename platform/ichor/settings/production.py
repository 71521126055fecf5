"""PostgreSQL, Redis, and any number of web and worker machines. Every secret comes from the environment."""

import os
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from ichor.settings import env
from ichor.settings.base import *
from ichor.settings.base import STORAGES

DEBUG = False
SECRET_KEY = env.required("ICHOR_SECRET_KEY")
UID_KEY = env.required("ICHOR_UID_KEY")
ALLOWED_HOSTS = env.csv("ICHOR_HOSTS")
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]

DATABASES = {"default": env.database(env.required("DATABASE_URL"))}
REDIS_URL = env.required("REDIS_URL")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL
# Longer than any job: Redis would otherwise hand a training run that still works to a second worker.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 48 * 3600}

STORAGES = STORAGES | {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
if url := os.environ.get("ICHOR_STORE_URL"):
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ImproperlyConfigured("ICHOR_STORE_URL must read s3://bucket or s3://bucket/folder.")
    # The keys, and the region, come from the usual AWS_* variables or from the machine's role.
    STORAGES["default"] = {
        "BACKEND": "apps.core.s3.S3WholeStorage",
        "OPTIONS": {
            "bucket": parts.netloc,
            "folder": parts.path.strip("/"),
            "endpoint": os.environ.get("ICHOR_S3_ENDPOINT", ""),
        },
    }

# TLS ends at the proxy in front, which must set this header and strip it from clients.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.boolean("ICHOR_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31536000
# Whether subdomains and browsers' preload lists are bound too is for the owner of the domain to say, not for us.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# For password resets.
EMAIL_HOST = os.environ.get("ICHOR_SMTP_HOST", "localhost")
EMAIL_PORT = int(os.environ.get("ICHOR_SMTP_PORT", "25"))
EMAIL_HOST_USER = os.environ.get("ICHOR_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("ICHOR_SMTP_PASSWORD", "")
EMAIL_USE_TLS = env.boolean("ICHOR_SMTP_TLS")
DEFAULT_FROM_EMAIL = os.environ.get("ICHOR_MAIL_FROM", "ichor@localhost")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
