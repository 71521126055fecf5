"""One machine, no server beside it: SQLite, a local folder, and a broker that is a folder too."""

import contextlib
import os
from pathlib import Path

from csp.constants import UNSAFE_INLINE
from django.core.management.utils import get_random_secret_key

from ichor import folder_broker
from ichor.settings import env
from ichor.settings.base import *
from ichor.settings.base import CONTENT_SECURITY_POLICY, STATIC_ROOT, VAR


def _secret(name: str) -> str:
    """Keep a secret of this installation in a file that only its owner reads."""
    path: Path = VAR / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        own = path.with_name(f"{name}.{os.getpid()}")
        own.touch(mode=0o600)
        own.write_text(get_random_secret_key())
        # A link is made whole or not at all, so of two processes that start together both read the same key.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(own)
        own.unlink()
    return path.read_text()


DEBUG = env.boolean("ICHOR_DEBUG")
SECRET_KEY = _secret("secret-key")
# Keys the replacement UIDs; whoever has it could link them back to the hospital's.
UID_KEY = _secret("uid-key")
ALLOWED_HOSTS = env.csv("ICHOR_HOSTS", "localhost,127.0.0.1,[::1]")
DEMONSTRATION = env.boolean("ICHOR_DEMONSTRATION")

if DEMONSTRATION:
    # Nobody's data: tools that check a page (accessibility, for one) may put their script into it.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["script-src"].append(UNSAFE_INLINE)

# Static files straight from where they were built; production collects them.
WHITENOISE_USE_FINDERS = True
STATIC_ROOT.mkdir(parents=True, exist_ok=True)

DATABASES = {"default": env.sqlite(VAR / "ichor.sqlite3")}

# No mail server: messages (password resets) lie in a folder, for the administrator to hand over.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR / "mail"

CELERY_BROKER_URL = folder_broker.URL
_BROKER = VAR / "broker"
for _folder in ("queue", "done", "control"):
    (_BROKER / _folder).mkdir(parents=True, exist_ok=True)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # One folder for both directions: what the web process sends is what the worker takes.
    "data_folder_in": str(_BROKER / "queue"),
    "data_folder_out": str(_BROKER / "queue"),
    "processed_folder": str(_BROKER / "done"),
    "control_folder": str(_BROKER / "control"),
    "store_processed": False,
}
