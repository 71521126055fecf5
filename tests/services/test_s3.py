"""Files in a bucket, against a real S3 server: the store and the sweep, and a scan from its upload to its frame."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pydicom
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from apps.core import store
from apps.core.sweep import SweepReport, sweep
from tests.services.servers import Server, accepts, free_port, postgresql, redis_server
from tests.services.site import SECRETS, Site, new_site
from tests.services.study import Study, phantom, pixel_digests, running_study

pytestmark = [pytest.mark.services]
KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests only", "AWS_DEFAULT_REGION": "eu-central-1"}
BUCKET = "ichor-tests"
# A line of the server's log, which it colors.
REQUEST = re.compile(r'"(?:\x1b\[[\d;]*m)*([A-Z]+) /\S* HTTP/1\.\d(?:\x1b\[[\d;]*m)*" (\d{3})')
CONTENT = bytes(range(256)) * 40


@dataclass(frozen=True)
class Bucket:
    """A bucket of a running server, seen without the platform."""

    endpoint: str
    log: Path

    @property
    def client(self) -> Any:
        return boto3.client("s3", endpoint_url=self.endpoint)

    def names(self) -> list[str]:
        return [entry["Key"] for entry in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def requests(self) -> list[str]:
        """Return what was asked of the server, oldest first: the verb and the status."""
        return [f"{verb} {status}" for verb, status in REQUEST.findall(self.log.read_text())]


@contextmanager
def s3_server(folder: Path) -> Iterator[Bucket]:
    """Run moto's S3 server with an empty bucket."""
    port = free_port()
    log = folder / "s3.log"
    server = Server(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)], log, lambda: accepts(port),
    )  # fmt: skip
    try:
        server.start()
        bucket = Bucket(f"http://127.0.0.1:{port}", log)
        place = {"LocationConstraint": KEYS["AWS_DEFAULT_REGION"]}
        bucket.client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=place)
        yield bucket
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        with s3_server(tmp_path_factory.mktemp("s3")) as bucket:
            yield bucket


@pytest.fixture
def bucket(server: Bucket, settings: Any) -> Bucket:
    """The server's bucket, empty, as the store of this process."""
    for name in server.names():
        server.client.delete_object(Bucket=BUCKET, Key=name)
    options = {"bucket": BUCKET, "folder": "study/one", "endpoint": server.endpoint}
    backend = {"BACKEND": "apps.core.s3.S3WholeStorage", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": backend}
    return server


def test_what_was_put_lies_in_the_folder_of_the_bucket_and_is_got(bucket: Bucket) -> None:
    name, _ = store.put(CONTENT, ".dcm")
    assert bucket.names() == [f"study/one/{name}"]
    assert store.get(name) == CONTENT
    answer = bucket.client.get_object(Bucket=BUCKET, Key=f"study/one/{name}")
    assert answer["Body"].read() == CONTENT
    assert default_storage.exists(name)
    default_storage.delete(name)
    assert not default_storage.exists(name)
    assert bucket.names() == []


def test_a_file_takes_one_request_to_write_and_one_to_read(bucket: Bucket) -> None:
    """Also a large one: what is sent in several parts leaves parts behind when its writer dies."""
    large = CONTENT * 2000  # 20 MB
    before = len(bucket.requests())
    name, _ = store.put(large, ".dcm")
    assert store.get(name) == large
    assert store.read_range(name, 10_240_000, 3) == CONTENT[:3]
    assert bucket.requests()[before:] == ["PUT 200", "GET 200", "GET 206"]


def test_nothing_of_a_file_touches_the_disk(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "absent"))
    name, _ = store.put(CONTENT, ".dcm")
    assert store.get(name) == CONTENT


@pytest.mark.parametrize(("offset", "length"), [(0, 0), (0, 1), (256, 512), (len(CONTENT) - 1, 1), (0, len(CONTENT))])
def test_a_range_is_that_part_of_the_file(bucket: Bucket, offset: int, length: int) -> None:
    name, _ = store.put(CONTENT, ".dcm")
    assert store.read_range(name, offset, length) == CONTENT[offset : offset + length]


@pytest.mark.parametrize(("offset", "length"), [(0, len(CONTENT) + 1), (len(CONTENT), 1), (10**9, 5)])
def test_a_range_beyond_the_end_is_never_cut_short_in_silence(bucket: Bucket, offset: int, length: int) -> None:
    name, _ = store.put(CONTENT, ".dcm")
    with pytest.raises(OSError, match="ends before"):
        store.read_range(name, offset, length)


def test_an_absent_file_is_an_error(bucket: Bucket) -> None:
    for read in (store.get, lambda name: store.read_range(name, 0, 1)):
        with pytest.raises(FileNotFoundError):
            read(f"00/00/{'0' * 64}.dcm")


def test_a_damaged_file_is_made_whole(bucket: Bucket) -> None:
    name, _ = store.put(CONTENT, ".dcm")
    bucket.client.put_object(Bucket=BUCKET, Key=f"study/one/{name}", Body=b"half")
    store.put(CONTENT, ".dcm")
    assert store.get(name) == CONTENT
    assert len(bucket.names()) == 1


def test_many_threads_write_and_read_at_once(bucket: Bucket) -> None:
    got: list[bool] = []

    def work(number: int) -> None:
        content = CONTENT + bytes([number % 3])
        name, _ = store.put(content, ".dcm")
        got.append(store.get(name) == content)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [True] * 9
    assert len(bucket.names()) == 3


def test_the_listing_has_every_page_in_order(bucket: Bucket) -> None:
    """The server gives 1,000 names a page."""
    names = sorted(f"{number % 256:02x}/{number % 7:02x}/{number:064x}.dcm" for number in range(1100))
    for name in names:
        default_storage.save(name, ContentFile(b"x"))
    bucket.client.put_object(Bucket=BUCKET, Key="study/two/of-another-study", Body=b"x")
    listed = list(default_storage.files())  # type: ignore[attr-defined]
    assert [name for name, _ in listed] == names
    assert all(datetime.now(UTC) - written < timedelta(minutes=5) for _, written in listed)


def test_the_sweep_deletes_by_age_and_leaves_what_is_not_ours(db: None, bucket: Bucket) -> None:
    name, _ = store.put(CONTENT, ".dcm")
    for other in ("study/one/README", "study/two/notes"):
        bucket.client.put_object(Bucket=BUCKET, Key=other, Body=b"of others")
    assert sweep(force=True) == SweepReport(files=1)
    assert default_storage.exists(name)
    # The server tells whole seconds, rounded down.
    assert sweep(timedelta(seconds=-2), force=True) == SweepReport(files=1, orphans=1, deleted=1)
    assert bucket.names() == ["study/one/README", "study/two/notes"]


def test_a_file_written_after_the_moment_is_not_deleted(bucket: Bucket) -> None:
    name, _ = store.put(CONTENT, ".dcm")
    delete_older = default_storage.delete_older  # type: ignore[attr-defined]
    assert not delete_older(name, datetime.now(UTC) - timedelta(hours=1))
    assert delete_older(name, datetime.now(UTC) + timedelta(hours=1))
    assert not delete_older(name, datetime.now(UTC) + timedelta(hours=1)), "it is gone already"


def test_a_server_that_does_not_answer_is_an_error_and_no_absent_file(settings: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        options = {"bucket": BUCKET, "endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        backend = {"BACKEND": "apps.core.s3.S3WholeStorage", "OPTIONS": options}
        settings.STORAGES = settings.STORAGES | {"default": backend}
        with pytest.raises(Exception, match="Could not connect") as failed:
            default_storage.exists("a")
        assert not isinstance(failed.value, FileNotFoundError)


@pytest.fixture
def site(server: Bucket, tmp_path: Path) -> Iterator[Site]:
    """Production, with its files in the bucket."""
    with postgresql() as database_url, redis_server() as (redis_url, _):
        variables = KEYS | SECRETS | {
            "DJANGO_SETTINGS_MODULE": "ichor.settings.production",
            "DATABASE_URL": database_url, "REDIS_URL": redis_url, "ICHOR_HOSTS": "study.example.org",
            "ICHOR_STORE_URL": f"s3://{BUCKET}/hospital", "ICHOR_S3_ENDPOINT": server.endpoint,
        }  # fmt: skip
        with new_site(tmp_path, **variables) as found:
            yield found


@pytest.fixture
def study(site: Site) -> Iterator[Study]:
    with running_study(site) as found:
        yield found


@pytest.mark.slow
def test_a_scan_from_its_upload_to_its_frame(server: Bucket, study: Study, tmp_path: Path) -> None:
    assert study.call("stored_in") == "S3WholeStorage 0"
    study.call("enroll", study_ids=["C1-0001"])
    files = phantom(tmp_path / "ct", seed=3)
    status, receipt = study.send("C1-0001", files, more=False)
    assert (status, receipt["counts"]) == (201, {"stored": len(files)})
    study.wait_for_jobs()
    found = study.call("scans", study_id="C1-0001")
    assert [row["state"] for row in found["series"]] == ["ready"]
    assert found["pixels"] == pixel_digests(files)
    assert len([name for name in server.names() if name.startswith("hospital/")]) == len(files) + 1
    assert study.call("stored_in") == "S3WholeStorage 0", "nothing lies in the folder"

    of_study, of_series, of_instance = study.call("uids", study_id="C1-0001")
    instance = f"/dicomweb/studies/{of_study}/series/{of_series}/instances/{of_instance}"
    status, frame = study.get(f"{instance}/frames/1", Accept="application/octet-stream")
    assert status == 200
    lowest = min(map(pydicom.dcmread, map(BytesIO, files)), key=lambda slice_: float(slice_.ImagePositionPatient[2]))
    assert frame == lowest.PixelData

    lost = next(name for name in server.names() if name.startswith("hospital/") and name.endswith(".dcm"))
    server.client.delete_object(Bucket=BUCKET, Key=lost)
    swept = study.site.manage("sweep_store")
    assert swept.returncode == 1
    assert "1    of imaging.Instance" in swept.stdout
    study.send("C1-0001", files, more=False)
    assert study.site.manage("sweep_store", "--verify").returncode == 0, "sending the scan again brought the file back"


@pytest.mark.slow
@pytest.mark.parametrize("url", ["http://bucket", "s3://", "bucket", "s3://bucket?x=1"])
def test_an_address_that_is_none_is_named_at_the_start(tmp_path: Path, url: str) -> None:
    variables = SECRETS | {
        "DJANGO_SETTINGS_MODULE": "ichor.settings.production", "DATABASE_URL": "sqlite:////absent",
        "REDIS_URL": "redis://localhost", "ICHOR_HOSTS": "study.example.org", "ICHOR_STORE_URL": url,
    }  # fmt: skip
    failed = Site(tmp_path, variables).manage("check")
    assert failed.returncode != 0
    assert "ICHOR_STORE_URL must read s3://bucket" in failed.stderr
