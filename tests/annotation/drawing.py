"""What the annotator in the browser sends."""

import zlib
from typing import Any

import numpy as np
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.imaging.models import Series


def packed(plane: np.ndarray) -> bytes:
    return zlib.compress(np.ascontiguousarray(plane, dtype=np.uint8).tobytes())


def save(client: Client, series: Series, planes: dict[int, np.ndarray], revision: int, **more: Any) -> Any:
    """Save slices of an outline."""
    files = {str(index): SimpleUploadedFile("labels", packed(plane)) for index, plane in planes.items()}
    return post(client, series, {**files, "revision": revision, "series_revision": series.revision, **more})


def post(client: Client, series: Series, form: dict[str, Any]) -> Any:
    url = reverse("annotation:outline-save", args=[series.patient.study_id])
    return client.post(url, form, headers={"accept": "application/json"})


def drawn(client: Client, series: Series) -> np.ndarray:
    """Return the labels that the server sends back."""
    content = client.get(reverse("annotation:outline-labels", args=[series.patient.study_id])).content
    grid = series.geometry
    shape = (grid["slices"], grid["rows"], grid["columns"])
    return np.frombuffer(zlib.decompress(content), np.uint8).reshape(shape) if content else np.zeros(shape, np.uint8)


def submit(client: Client, series: Series, revision: int) -> Any:
    url = reverse("annotation:outline-submit", args=[series.patient.study_id])
    return client.post(url, {"revision": revision}, headers={"accept": "application/json"})
