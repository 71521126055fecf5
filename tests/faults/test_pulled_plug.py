"""Web and worker killed in the middle of an upload of three studies: after sending again, everything is there once."""

from __future__ import annotations

import http.client
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.services.site import Site
from tests.services.study import Study, phantom, pixel_digests, running_study

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.xdist_group("faults")]
# Of each profile: 20 in all.
MOMENTS = 10
PART = 12
Scans = dict[str, list[bytes]]


@pytest.fixture(scope="module")
def study(site: Site) -> Iterator[Study]:
    with running_study(site) as found:
        yield found


def draw(study: Study, moment: int, folder: Path) -> Scans:
    """Enroll three patients and return the scan of each."""
    names = [f"C1-{moment:02d}{number}" for number in range(3)]
    study.call("enroll", study_ids=names)
    return {name: phantom(folder / name, seed=3 * moment + number) for number, name in enumerate(names)}


def send(study: Study, scans: Scans, answered: list[int] | None = None) -> None:
    """Send each scan in parts, as the browser does; note each answer."""
    for name, files in scans.items():
        for start in range(0, len(files), PART):
            part = files[start : start + PART]
            status, receipt = study.send(name, part, more=start + PART < len(files))
            assert status in (200, 201), receipt
            assert {outcome["status"] for outcome in receipt["outcomes"]} <= {"stored", "known"}, receipt
            if answered is not None:
                answered.append(status)


def pull_the_plug(study: Study, scans: Scans, answers: int, seconds: float) -> int:
    """Begin to send, kill web and worker some seconds after so many answers; return how many the sender got."""
    answered: list[int] = []

    def sender() -> None:
        with suppress(OSError, http.client.HTTPException):
            send(study, scans, answered)

    thread = threading.Thread(target=sender)
    thread.start()
    while thread.is_alive() and len(answered) < answers:
        time.sleep(0.001)
    time.sleep(seconds)
    study.kill()
    thread.join()
    return len(answered)


def check(study: Study, scans: Scans) -> None:
    for name, files in scans.items():
        found = study.call("scans", study_id=name)
        assert found["studies"] == [{"series_count": 1, "instance_count": len(files)}]
        assert [(row["state"], row["instance_count"]) for row in found["series"]] == [("ready", len(files))]
        assert found["pixels"] == pixel_digests(files), "each slice is there, and once"
        assert found["places"] == list(range(len(files)))
        assert all(found["whole"]) and found["tensors"] == [True]


def test_an_upload_that_was_cut_off_at_any_moment_is_whole_after_sending_again(study: Study, tmp_path: Path) -> None:
    """The moment is drawn: so many parts are answered, and the next one is under way for so long."""
    chance, cut, orphans = random.Random(20), 0, 0
    seconds = undisturbed(study, tmp_path)
    files = study.call("sweep_all")["kept"]
    for moment in range(1, MOMENTS + 1):
        scans = draw(study, moment, tmp_path)
        parts = sum(-(-len(found) // PART) for found in scans.values())
        answers = pull_the_plug(study, scans, chance.randrange(parts), chance.uniform(0.0, seconds / parts))
        cut += answers < parts
        study.start()
        send(study, scans)
        study.wait_for_jobs()
        check(study, scans)
        swept = study.call("sweep_all")
        orphans += swept["orphans"]
        assert (swept["deleted"], swept["missing"], swept["damaged"]) == (swept["orphans"], 0, 0)
        files += sum(len(found) + 1 for found in scans.values())  # the slices, and a tensor of each
        assert study.call("sweep_all") == {"files": files, "kept": files} | dict.fromkeys(
            ("orphans", "deleted", "missing", "damaged"), 0
        )
    sys.stderr.write(f"{cut} of {MOMENTS} uploads cut off; {orphans} orphaned files deleted\n")
    assert cut >= MOMENTS // 2, "the plug was pulled while scans were sent"


def undisturbed(study: Study, folder: Path) -> float:
    """Send three studies without an accident; return how long that takes."""
    scans = draw(study, 0, folder)
    began = time.monotonic()
    send(study, scans)
    seconds = time.monotonic() - began
    study.wait_for_jobs()
    check(study, scans)
    return seconds
