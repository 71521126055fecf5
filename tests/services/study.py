"""A site with a web process, a worker and a coordinator who sends scans over HTTP."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from ml.simulation import PhantomSpec, simulate_ct
from tests.services.servers import Server, free_port, wait_until
from tests.services.site import ROOT, Site

DONE_WITHIN = 120.0


class Study:
    """A running platform, as those who send scans to it see it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        with (site.folder / "study.log").open("w") as log:
            self._driver = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.services.study_driver"], cwd=ROOT, text=True,
                env=site.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.token = str(self.call("sign_up"))
        self.port = 0
        self.web: Server | None = None
        self.worker: Server | None = None
        self._starter = threading.Thread()

    def call(self, verb: str, **arguments: Any) -> Any:
        """Have a process of the platform look or do something; see study_driver.py."""
        assert self._driver.stdin and self._driver.stdout
        self._driver.stdin.write(json.dumps([verb, arguments]) + "\n")
        self._driver.stdin.flush()
        answer = self._driver.stdout.readline()
        if not answer:
            raise RuntimeError((self.site.folder / "study.log").read_text())
        return json.loads(answer)

    def start(self) -> None:
        """Start the web process and a worker, both at once; return when the web process answers."""
        self.port = free_port()
        command = [
            sys.executable, "-W", "ignore", "-m", "gunicorn", "ichor.wsgi", "-b", f"127.0.0.1:{self.port}",
            "-w", "1", "--threads", "4",
        ]  # fmt: skip
        log = self.site.folder / "web.log"
        self.web = Server(command, log, self._answers, cwd=ROOT, env=self.site.environment)
        self._starter = threading.Thread(target=self._start_worker)
        self._starter.start()
        self.web.start()

    def _start_worker(self) -> None:
        self.worker = self.site.start_worker("prefork" if self.site.is_production else "solo")

    def _answers(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def kill(self) -> None:
        """End the web process and the worker at once, as a power cut does."""
        self._starter.join()
        for server in (self.web, self.worker):
            if server is not None:
                server.kill()

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        return self._request("GET", path, b"", headers)

    def send(self, study_id: str, files: Sequence[bytes], *, more: bool) -> tuple[int, dict[str, Any]]:
        """Send a part of a scan; return the status and the receipt."""
        parts = [SimpleUploadedFile(f"{number}.dcm", content) for number, content in enumerate(files)]
        body = encode_multipart(BOUNDARY, {"files": parts, "more": "1" if more else "0"})
        headers = {"Content-Type": MULTIPART_CONTENT}
        status, answer = self._request("POST", f"/api/v1/patients/{study_id}/series/", body, headers)
        return status, json.loads(answer)

    def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            # As the proxy in front passes it on.
            host = {"Host": "study.example.org"} if self.site.is_production else {}
            known = {"Authorization": f"Token {self.token}", "X-Forwarded-Proto": "https"}
            connection.request(method, path, body, {**host, **known, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_for_jobs(self) -> None:
        """Return when no job waits or runs."""
        self._starter.join()
        try:
            wait_until(lambda: not self.call("unfinished"), "the end of all jobs", DONE_WITHIN)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.site.logs()}") from error

    def close(self) -> None:
        self.kill()
        self._driver.communicate()


@contextmanager
def running_study(site: Site) -> Iterator[Study]:
    """Start a study on a site, and end its processes afterwards."""
    study = Study(site)
    try:
        study.start()
        yield study
    finally:
        study.close()


def phantom(folder: Path, seed: int) -> list[bytes]:
    """Return a small simulated head CT as files; each seed is another person's."""
    simulate_ct(folder, spec=PhantomSpec(rows=64, columns=64), seed=seed, patient_tags={"PatientID": f"H{seed}"})
    return [path.read_bytes() for path in sorted(folder.iterdir())]


def pixel_digests(files: Sequence[bytes]) -> list[str]:
    """Return the SHA-256 of each file's pixels: what de-identification leaves as it is."""
    return sorted(hashlib.sha256(pydicom.dcmread(BytesIO(content)).PixelData).hexdigest() for content in files)
