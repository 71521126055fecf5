"""The tests' profile: embedded, or production's servers where DATABASE_URL and REDIS_URL name them."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# A server that a benchmark starts reads the files of who started it.
_GIVEN = os.environ.get("ICHOR_TEST_VAR")
_ROOT = Path(_GIVEN or tempfile.mkdtemp(prefix="ichor-test-"))
os.environ["ICHOR_VAR"] = str(_ROOT)
if not _GIVEN:
    atexit.register(shutil.rmtree, _ROOT, ignore_errors=True)

from ichor.settings import env  # noqa: E402
from ichor.settings.embedded import *  # noqa: E402
from ichor.settings.embedded import CELERY_BROKER_TRANSPORT_OPTIONS, CELERY_BROKER_URL, DATABASES  # noqa: E402

SECRET_KEY = "tests only"  # noqa: S105
UID_KEY = "tests only"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The rate limits of sign-in have their own test; the others sign in hundreds of times.
ACCOUNT_RATE_LIMITS = False
# Each test's client makes the middleware anew, which would list all static files again each time.
WHITENOISE_AUTOREFRESH = True
if url := os.environ.get("DATABASE_URL"):
    DATABASES = {"default": env.database(url)}
else:
    # A file, not memory: the browser's server thread and the worker process open it too.
    DATABASES["default"]["TEST"] = {"NAME": _ROOT / "test.sqlite3"}
if url := os.environ.get("REDIS_URL"):
    CELERY_BROKER_URL = url
    CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
