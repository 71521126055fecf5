"""UIDs that stand for those of the hospital."""

import hashlib
import hmac

from django.conf import settings


def replace_uid(uid: str, study_id: str) -> str:
    """Return the UID that stands for `uid` here: the same every time for one patient, and not to be turned back."""
    message = f"{study_id}|{uid.strip()}".encode()
    digest = hmac.new(settings.UID_KEY.encode(), message, hashlib.sha256).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
