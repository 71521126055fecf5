"""Moved dates: a patient's dates leave this installation shifted by whole days, the same number for all of them.

Days between two dates of one patient, and the times of day, stay true; the calendar does not (DICOM PS3.15 E.3.6,
Retain Longitudinal Temporal Information with Modified Dates).
"""

import hashlib
import hmac
from datetime import date, timedelta

from django.conf import settings

# Up to ten years back, never forward: a scan of the future would be taken for an error.
_MOST_DAYS = 3650


def offset_days(study_id: str) -> int:
    """Return the secret number of days (negative) by which a patient's dates are moved; made from the UID key."""
    digest = hmac.new(settings.UID_KEY.encode(), f"dates|{study_id}".encode(), hashlib.sha256).digest()
    return -1 - int.from_bytes(digest[:8], "big") % _MOST_DAYS


def move_date(day: date, study_id: str) -> date:
    """Return the day as it may be stored with images and exported."""
    try:
        return day + timedelta(days=offset_days(study_id))
    except OverflowError:  # a day of the first ten years of our era: no date of a patient
        return date.min


def move_back(day: date, study_id: str) -> date:
    """Return the day that `move_date` was given; for who sees the patient's true dates anyway."""
    return day - timedelta(days=offset_days(study_id))
