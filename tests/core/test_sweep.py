"""The sweep: files without a row go, rows without a file are told, and a writer at work loses nothing."""

from __future__ import annotations

import itertools
import os
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from apps.accounts.models import User
from apps.accounts.policy import Role
from apps.cohorts.models import Snapshot
from apps.core import store, sweep, tasks
from apps.core.storage import WholeFileStorage
from apps.core.sweep import SweepReport
from apps.imaging.models import HeldInstance, ImagingStudy, Instance, Series
from apps.patients.models import Patient
from tests.imaging.store import empty_store as empty_store

NOW = timedelta(0)
TWO_DAYS = 48 * 3600


def put(content: bytes, *, age: float = TWO_DAYS) -> str:
    """Store a file that was written `age` seconds ago."""
    name, _ = store.put(content, ".dcm")
    written = time.time() - age
    os.utime(default_storage.path(name), (written, written))
    return name


def stored() -> set[str]:
    return {name for name, _ in default_storage.files()}


@pytest.fixture
def series(patient: Patient, users: dict[Role, User]) -> Series:
    study = ImagingStudy.objects.create(patient=patient, study_instance_uid="2.25.1")
    return Series.objects.create(
        study=study, patient=patient, series_instance_uid="2.25.2", uploaded_by=users[Role.COORDINATOR]
    )


@pytest.fixture
def add_instance(series: Series) -> Callable[[str], Instance]:
    numbers = itertools.count()

    def add(name: str) -> Instance:
        number = next(numbers)
        return Instance.objects.create(series=series, sop_instance_uid=f"2.25.3.{number}", index=number, file=name)

    return add


@pytest.fixture
def kept(add_instance: Callable[[str], Instance]) -> list[str]:
    """Five files that rows name."""
    names = [put(b"kept %d" % number) for number in range(5)]
    for name in names:
        add_instance(name)
    return names


def test_every_column_of_file_names_is_kept() -> None:
    """A column that the sweep does not know would lose its files within a day."""
    named = {
        (f"{model._meta.app_label}.{model.__name__}", field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if field.name in {"file", "tensor"} or field.name.endswith("_file")
    }
    assert named == sweep.kept_columns()
    assert ("imaging.Instance", "file") in named


def test_a_whole_store_is_left_as_it_is(kept: list[str]) -> None:
    assert sweep.sweep(NOW, verify=True) == SweepReport(files=5, kept=5)
    assert stored() == set(kept)


def test_files_that_no_row_names_are_deleted_once_they_are_a_day_old(kept: list[str]) -> None:
    old, young = put(b"old"), put(b"young", age=23 * 3600)
    report = sweep.sweep()
    assert (report.files, report.kept, report.orphans, report.deleted) == (7, 5, 1, 1)
    assert report.is_whole
    assert stored() == {*kept, young}
    assert not default_storage.exists(old)


def test_what_a_killed_writer_left_is_deleted(kept: list[str], empty_store: Path) -> None:
    part = (empty_store / kept[0]).parent / ".part-x7_ab12q"
    part.write_bytes(b"half a sl")
    os.utime(part, (1, 1))
    assert sweep.sweep().deleted == 1
    assert not part.exists()


def test_files_of_others_in_the_same_place_are_left_alone(kept: list[str], empty_store: Path) -> None:
    (empty_store / "README").write_text("not of the platform")
    (empty_store / "ab").mkdir(exist_ok=True)
    (empty_store / "ab" / "notes.txt").write_text("neither")
    assert sweep.sweep(NOW, force=True) == SweepReport(files=5, kept=5)
    assert {"README", "ab/notes.txt"} < stored()


def test_each_column_keeps_its_files(patient: Patient, series: Series, users: dict[Role, User]) -> None:
    tensor, waiting, decided, table = (put(word) for word in (b"tensor", b"waiting", b"decided", b"table"))
    Series.objects.filter(pk=series.pk).update(tensor=tensor)
    for number, (file, decision) in enumerate([(waiting, ""), (decided, "discarded")]):
        HeldInstance.objects.create(
            patient=patient, reason="overlay", sop_instance_uid=f"2.25.4.{number}", file=file, decision=decision,
            received_by=users[Role.COORDINATOR],
        )  # fmt: skip
    Snapshot.objects.create(file=table, patient_count=0, included_count=0, created_by=users[Role.DATA_MANAGER])
    assert sweep.sweep(force=True).is_whole
    assert stored() == {tensor, waiting, table}, "the file of what was thrown away goes, should it still be there"


def test_a_row_without_its_file_is_told_by_its_table_alone(
    kept: list[str], series: Series, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for name in kept[:2]:
        default_storage.delete(name)
    Series.objects.filter(pk=series.pk).update(tensor=f"00/00/{'0' * 64}.npy")
    report = sweep.sweep()
    assert report.missing == {"imaging.Instance": 2, "imaging.Series": 1}
    assert not report.is_whole
    with pytest.raises(CommandError, match="Files are missing or damaged") as refused:
        call_command("sweep_store")
    assert refused.value.returncode == 1
    told = capsys.readouterr().out
    assert "3  missing files" in told and "2    of imaging.Instance" in told
    tasks.sweep_store()
    assert "2 files of imaging.Instance are missing" in caplog.text
    assert not any(word in told + caplog.text for word in (*kept, "2.25", "C1-0001"))


def test_a_damaged_file_is_found_when_it_is_read(kept: list[str], empty_store: Path) -> None:
    (empty_store / kept[3]).write_bytes(b"kept 8")
    assert sweep.sweep(verify=True).damaged == {"imaging.Instance": 1}
    assert sweep.sweep().is_whole
    with pytest.raises(CommandError, match="missing or damaged"):
        call_command("sweep_store", "--verify")


def test_a_dry_run_deletes_nothing(kept: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    orphan = put(b"orphan")
    call_command("sweep_store", "--dry-run")
    assert "1  files named by no row" in capsys.readouterr().out
    assert orphan in stored()
    call_command("sweep_store", "--hours", "49")
    assert orphan in stored()
    call_command("sweep_store")
    assert orphan not in stored()


def test_a_store_beside_the_wrong_database_is_not_emptied(db: None, caplog: pytest.LogCaptureFixture) -> None:
    names = {put(b"of another database %d" % number) for number in range(3)}
    with pytest.raises(CommandError, match="Check that this is the right database"):
        call_command("sweep_store")
    tasks.sweep_store()
    assert "nothing was deleted" in caplog.text
    assert stored() == names
    call_command("sweep_store", "--force")
    assert stored() == set()


def test_a_store_that_holds_nothing_yet(db: None, empty_store: Path) -> None:
    empty_store.rmdir()
    assert sweep.sweep() == SweepReport()


class BusyStorage(WholeFileStorage):
    """A store to which something happens while it is listed: after the last name, or before a deletion."""

    after_listing: Callable[[], object] = staticmethod(lambda: None)

    def files(self) -> Iterator[tuple[str, datetime]]:
        yield from super().files()
        self.after_listing()


@pytest.fixture
def while_listed(settings: Any, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    backend = f"{BusyStorage.__module__}.{BusyStorage.__qualname__}"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": backend, "OPTIONS": {"location": empty_store}}}

    def happens(what: Callable[[], object]) -> None:
        monkeypatch.setattr(BusyStorage, "after_listing", staticmethod(what))

    return happens


def test_a_row_written_while_the_store_is_listed_keeps_its_file(
    kept: list[str], while_listed: Callable[..., None], add_instance: Callable[[str], Instance]
) -> None:
    name = put(b"its row is about to come")
    while_listed(lambda: add_instance(name))
    assert sweep.sweep().deleted == 0
    assert name in stored()


def test_a_file_written_again_while_the_store_is_listed_stays(
    kept: list[str], while_listed: Callable[..., None]
) -> None:
    name = put(b"an orphan that somebody sends again")
    while_listed(lambda: store.put(b"an orphan that somebody sends again", ".dcm"))
    assert sweep.sweep().deleted == 0
    assert name in stored()


def test_what_goes_while_the_store_is_listed_is_not_missing(kept: list[str], while_listed: Callable[..., None]) -> None:
    default_storage.delete(kept[0])
    while_listed(lambda: Instance.objects.filter(file=kept[0]).delete())
    assert sweep.sweep().is_whole


def test_two_sweeps_at_once_delete_each_file_once(kept: list[str], while_listed: Callable[..., None]) -> None:
    name = put(b"wanted by two sweeps")
    while_listed(lambda: default_storage.delete(name))
    report = sweep.sweep()
    assert (report.orphans, report.deleted) == (1, 0)


class EndlessStorage(WholeFileStorage):
    """A listing that is too long for real files; there is none behind the names."""

    count = 0

    def files(self) -> Iterator[tuple[str, datetime]]:
        written = datetime(2020, 1, 1, tzinfo=UTC)
        for number in range(self.count):
            digest = f"{number:064x}"
            yield f"{digest[:2]}/{digest[2:4]}/{digest}.dcm", written


def test_a_large_store_is_never_whole_in_memory(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = f"{EndlessStorage.__module__}.{EndlessStorage.__qualname__}"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": backend}}
    monkeypatch.setattr(sweep, "MOST", 1000)
    peaks = []
    for count in (20_000, 100_000):
        monkeypatch.setattr(EndlessStorage, "count", count)
        tracemalloc.start()
        report = sweep.sweep(delete=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert report.orphans == count
    assert peaks[1] < 1.2 * peaks[0]


def test_the_number_of_queries_does_not_grow_with_the_rows(kept: list[str], django_assert_max_num_queries: Any) -> None:
    columns = len(sweep.kept_columns())
    for number in range(30):
        put(b"orphan %d" % number)
    with django_assert_max_num_queries(2 * columns):
        assert sweep.sweep(force=True).deleted == 30
    with django_assert_max_num_queries(columns):
        assert sweep.sweep().is_whole
