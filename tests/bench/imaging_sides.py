"""The platform and Orthanc, each running with the same scans, seen over DICOMweb."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import psycopg
import pydicom
import requests
from pydicom.uid import generate_uid

from ml.simulation import PhantomSpec, simulate_ct
from tests.services.servers import Server, free_port, orthanc
from tests.services.site import ROOT, SECRETS, Site, new_site
from tests.services.study import Study

JSON = "application/dicom+json"
FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
BOUNDARY = "between-the-slices"
DATABASE = "ichor_bench_imaging"


class Platform(Study):
    """The platform with as many web processes as there are cores, four threads each."""

    def start(self) -> None:
        self.port = free_port()
        command = [
            sys.executable, "-W", "ignore", "-m", "gunicorn", "ichor.wsgi", "-b", f"127.0.0.1:{self.port}",
            "-w", str(os.cpu_count() or 2), "--threads", "4",
        ]  # fmt: skip
        log = self.site.folder / "web.log"
        self.web = Server(command, log, self._answers, cwd=ROOT, env=self.site.environment)
        self._starter = threading.Thread(target=self._start_worker)
        self._starter.start()
        self.web.start()
        self._starter.join()

    def is_ready(self, study_id: str) -> bool:
        """Say whether the one series of a patient is ready for what comes after."""
        status, body = self.get(f"/api/v1/patients/{study_id}/series/")
        states = [row["state"] for row in json.loads(body)]
        if status != 200 or states not in (["received"], ["ready"]):
            raise RuntimeError(f"the platform answered {status}: {states}")
        return states == ["ready"]


@dataclass
class Scan:
    """A scan as one side keeps it."""

    study: str
    series: str
    instances: list[str]

    @property
    def path(self) -> str:
        return f"/studies/{self.study}/series/{self.series}"


@dataclass
class Side:
    """One of the two servers."""

    name: str
    root: str
    headers: dict[str, str] = field(default_factory=dict)
    scans: list[Scan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = self.new_session()

    def new_session(self) -> requests.Session:
        session = requests.Session()
        session.headers.update(self.headers)
        return session

    def get(self, path: str, accept: str = JSON, session: requests.Session | None = None) -> bytes:
        """Return the body of an answer; every byte of it is read."""
        answer = (session or self.session).get(self.root + path, headers={"Accept": accept})
        if answer.status_code != 200 or not answer.content:
            raise RuntimeError(f"{self.name} answered {answer.status_code} at {path}: {answer.text[:500]}")
        return answer.content

    def stow(self, body: bytes) -> None:
        kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
        answer = self.session.post(f"{self.root}/studies", body, headers={"Content-Type": kind, "Accept": JSON})
        if answer.status_code != 200 or answer.json().get("00081198", {}).get("Value"):
            raise RuntimeError(f"{self.name} answered {answer.status_code}: {answer.text[:500]}")

    def find_scans(self) -> None:
        """Learn the identifiers under which the scans are kept; the platform replaces those that it is sent."""
        self.scans = []
        for study in values(self.get("/studies"), "0020000D"):
            for series in values(self.get(f"/studies/{study}/series"), "0020000E"):
                found = values(self.get(f"/studies/{study}/series/{series}/instances"), "00080018")
                self.scans.append(Scan(study, series, found))


def values(body: bytes, tag: str) -> list[str]:
    return [item[tag]["Value"][0] for item in json.loads(body)]


def head_ct(folder: Path) -> list[pydicom.Dataset]:
    """Return the real tilted CT where it is to be had, else a phantom of the same size."""
    data = Path(os.environ.get("ICHOR_TEST_DATA", ROOT.parent / "shared" / "data"))
    files = sorted((data / "head-ct-tilted" / "dicom").glob("*.dcm"))
    if not files:
        simulate_ct(folder, spec=PhantomSpec(gantry_tilt_degrees=18.5), seed=1)
        files = sorted(folder.iterdir())
    return [pydicom.dcmread(path) for path in files]


def another(slices: Sequence[pydicom.Dataset], study_id: str, number: int) -> list[bytes]:
    """Return the scan as another patient's: new identifiers, and one pixel of each slice changed."""
    study, series = generate_uid(), generate_uid()
    files = []
    for dataset in slices:
        dataset.PatientID = dataset.PatientName = study_id
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.PixelData = dataset.PixelData[:-2] + number.to_bytes(2, "little")
        buffer = BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        files.append(buffer.getvalue())
    return files


def message(files: Sequence[bytes]) -> bytes:
    """Return the body of a STOW-RS request."""
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + file + b"\r\n" for file in files) + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def _site(folder: Path) -> Iterator[Site]:
    """Production settings in a database of its own where PostgreSQL and Redis run, else the embedded profile."""
    url, redis = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    if not url or not redis:
        with new_site(folder, DJANGO_SETTINGS_MODULE="ichor.settings.embedded") as site:
            yield site
        return
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        server.execute(f"CREATE DATABASE {DATABASE}")
        variables = {
            "DJANGO_SETTINGS_MODULE": "ichor.settings.production",
            "DATABASE_URL": url.rpartition("/")[0] + f"/{DATABASE}",
            "REDIS_URL": redis,
            "ICHOR_HOSTS": "study.example.org",
            **SECRETS,
        }
        try:
            with new_site(folder, **variables) as site:
                yield site
        finally:
            server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


@contextmanager
def both_sides() -> Iterator[tuple[Platform, Side, Side]]:
    """Start both; the platform is ready to be uploaded to, as `ours` over DICOMweb too."""
    with tempfile.TemporaryDirectory(prefix="ichor-bench-") as name, _site(Path(name)) as site, orthanc() as pacs:
        platform = Platform(site)
        try:
            platform.start()
            headers = {"Authorization": f"Token {platform.token}", "X-Forwarded-Proto": "https"}
            if site.is_production:
                headers["Host"] = "study.example.org"
            ours = Side("the platform", f"http://127.0.0.1:{platform.port}/dicomweb", headers)
            yield platform, ours, Side("Orthanc", f"{pacs}/dicom-web")
        finally:
            platform.close()
