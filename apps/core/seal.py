"""Sealing what may name a person until somebody decides on it, and the passwords of other systems.

Authenticated encryption (Fernet) under a key made from this installation's UID key: a copied disk or database gives
nothing away without that key.
"""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.utils.translation import gettext as _

from apps.core.errors import Refusal


def _fernet() -> Fernet:
    key = hmac.new(settings.UID_KEY.encode(), b"seal", hashlib.sha256).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def seal(content: bytes) -> bytes:
    """Return the content encrypted."""
    return _fernet().encrypt(content)


def unseal(sealed: bytes) -> bytes:
    """Return what was sealed; Refusal where the key of this installation does not fit."""
    try:
        return _fernet().decrypt(sealed)
    except InvalidToken:
        raise Refusal(
            "seal_broken",
            _("This was sealed with another key of the installation. Restore ICHOR_UID_KEY as it was."),
            status=409,
        ) from None


def seal_text(text: str) -> str:
    """Return a text encrypted."""
    return seal(text.encode()).decode()


def unseal_text(sealed: str) -> str:
    """Return the text that was sealed."""
    return unseal(sealed.encode()).decode()
