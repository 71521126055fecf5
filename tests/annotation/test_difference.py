"""A mask that lies elsewhere is refused with a picture of both grids, whose numbers are worked out by hand."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.annotation.difference import picture, sentences, views
from apps.imaging.models import Series
from ml.volumes import Block, Geometry, GridDifference, grid_difference
from tests.annotation.conftest import MaskFile, square_labels
from tests.annotation.mask_formats import nrrd, vector
from tests.imaging.doors import Doors
from tests.imaging.factory import everything
from tests.imaging.planted import MARK

LEFT = np.array([20.0, 0.0, 0.0])
# The head's edge in millimeters: right, front, feet and left, back, head.
HEAD = ((-80.0, -90.0, 0.0), (80.0, 90.0, 120.0))


def block(low: tuple[float, ...], high: tuple[float, ...]) -> Block:
    ends = np.array([low, high])
    return Block(np.array([(ends[i, 0], ends[j, 1], ends[k, 2]) for i in (0, 1) for j in (0, 1) for k in (0, 1)]))


def shifted(mm: tuple[float, ...], drawn: Block | None = None) -> GridDifference:
    low, high = (tuple(np.add(corner, mm)) for corner in HEAD)
    return GridDifference(block(*HEAD), block(low, high), drawn, (False, False, False))


def corners(points: str) -> set[tuple[float, ...]]:
    found = [tuple(float(number) for number in point.split(",")) for point in points.split()]
    assert len(found) == len(set(found)) == 4
    return set(found)


def test_the_views_lie_as_the_patient_does() -> None:
    """From the right the face looks to the right; from the feet the patient's left is at the right, his face on top."""
    side, below = views(shifted((20, 0, 0), block((10, -30, 40), (30, 0, 60))))
    assert corners(side.ct) == corners(side.mask) == {(-90, 0), (90, 0), (-90, -120), (90, -120)}
    assert corners(side.drawn) == {(30, -40), (0, -40), (30, -60), (0, -60)}, "the front is -y, at the right"
    assert corners(below.ct) == {(-80, -90), (80, -90), (-80, 90), (80, 90)}
    assert corners(below.mask) == {(-60, -90), (100, -90), (-60, 90), (100, 90)}
    assert corners(below.drawn) == {(10, -30), (30, -30), (10, 0), (30, 0)}
    # Both pictures hold both grids with 16 % of the larger side around: 180 mm.
    assert side.box == "-118.8 -178.8 237.6 237.6" and below.box == "-108.8 -118.8 237.6 237.6"
    assert [letter for _, _, letter in side.ends] == list("PAHF")
    assert [letter for _, _, letter in below.ends] == list("RLAP")
    left, right, top, bottom = [(x, y) for x, y, _ in side.ends]
    assert left[0] < -90 and right[0] > 90 and top[1] < -120 and bottom[1] > 0


def test_a_tilted_grid_is_a_tilted_outline() -> None:
    tilted = np.array([(x, y, z - y / 2) for x in (0, 10) for y in (0, 20) for z in (0, 30)])
    side, below = views(GridDifference(block(*HEAD), Block(tilted.astype(float)), None, (False, False, False)))
    assert corners(side.mask) == {(0, 0), (-20, 10), (0, -30), (-20, -20)}
    assert corners(below.mask) == {(0, 0), (10, 0), (0, 20), (10, 20)} and below.drawn == ""


@pytest.mark.parametrize(
    ("mm", "expected"),
    [
        ((20, 0, 0), "Its middle lies 20.0 mm to the patient’s left."),
        ((-20, 0, 0), "Its middle lies 20.0 mm to the patient’s right."),
        ((0, 7.5, 0), "Its middle lies 7.5 mm to the back."),
        ((0, -7.5, 0), "Its middle lies 7.5 mm to the front."),
        ((0, 0, 120), "Its middle lies 120.0 mm toward the head."),
        ((0, 0, -120), "Its middle lies 120.0 mm toward the feet."),
    ],
)
def test_a_shift_is_said_in_millimeters_and_by_its_direction(mm: tuple[float, ...], expected: str) -> None:
    assert list(sentences(shifted(mm))) == [expected]


def test_where_the_outline_lies_is_said_where_it_lies_not_all_on_the_ct() -> None:
    outside, half = block((90, 0, 0), (99, 9, 9)), block((70, 0, 0), (90, 9, 9))
    assert list(sentences(shifted((20, 0, 0), outside)))[1:] == ["What is drawn in it lies outside the CT."]
    told = "50 % of the block that is drawn in it lies within the CT."
    assert list(sentences(shifted((20, 0, 0), half)))[1:] == [told]
    assert len(list(sentences(shifted((20, 0, 0), block((0, 0, 0), (9, 9, 9)))))) == 1


def refused(doors: Doors, code: str, content: bytes, name: str = "mask.nrrd") -> str:
    """Send a file by each way; the page shows the picture that the script and programs are sent. Return it."""
    before = everything()
    doors.refuse(code, lambda: {"file": SimpleUploadedFile(name, content)})
    assert everything() == before
    page, script, _ = (post({"file": SimpleUploadedFile(name, content)}) for post in doors.posts())
    figure: str = script.json()["figure"]
    assert figure in page.content.decode()
    return figure


def told(figure: str) -> list[str]:
    return [text for text in re.findall(r"<li>([^<]+)</li>", figure)]


def test_flipped_from_head_to_feet(doors: Doors, ct: Series, grid: Geometry) -> None:
    """Five slices 16 mm apart that run down from the lowest instead of up: four steps lower."""
    steps = f"{vector(np.array([0.5, 0, 0]))} {vector(np.array([0, 0.5, 0]))} {vector(np.array([0, 0, -16]))}"
    figure = refused(doors, "mask_other_grid", nrrd(square_labels(), grid, space_directions=steps))
    assert told(figure) == [
        "Flipped: it counts its slices from the other end, head or feet.",
        "Its middle lies 64.0 mm toward the feet.",
        "What is drawn in it lies outside the CT.",
    ]


def test_flipped_from_side_to_side(doors: Doors, ct: Series, grid: Geometry) -> None:
    """16 columns of 0.5 mm that run to the right from the first instead of to the left: 15 steps."""
    steps = f"{vector(np.array([-0.5, 0, 0]))} {vector(np.array([0, 0.5, 0]))} {vector(np.array([0, 0, 16]))}"
    figure = refused(doors, "mask_other_grid", nrrd(square_labels(), grid, space_directions=steps))
    assert told(figure)[:2] == [
        "Flipped: it counts its columns from the other side.", "Its middle lies 7.5 mm to the patient’s right.",
    ]  # fmt: skip


def test_shifted_20_mm(doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile) -> None:
    moved = replace(grid, positions=grid.positions + LEFT)
    figure = refused(doors, "mask_other_grid", mask_file(square_labels(), moved), "mask.nii.gz")
    assert told(figure) == [
        "Its middle lies 20.0 mm to the patient’s left.", "What is drawn in it lies outside the CT.",
    ]  # fmt: skip
    assert figure.count("<svg") == 2 + 3 and figure.count('role="img" aria-label="Seen from') == 2
    assert "style=" not in figure and "script" not in figure


def test_other_spacing_and_other_size(doors: Doors, ct: Series, grid: Geometry, mask_file: MaskFile) -> None:
    """Slices 8 mm apart reach 40 mm instead of 80 mm; their middle lies 4 x 4 mm lower."""
    near = replace(grid, positions=grid.positions[0] + np.outer(np.arange(5), [0, 0, 8]))
    figure = refused(doors, "mask_other_grid", mask_file(square_labels(), near), "mask.nii.gz")
    assert told(figure)[:2] == [
        "From head to feet it measures 40.0 mm, the CT 80.0 mm.", "Its middle lies 16.0 mm toward the feet.",
    ]  # fmt: skip
    longer = replace(grid, positions=grid.positions[0] + np.outer(np.arange(6), [0, 0, 16]))
    labels = np.concatenate([square_labels(), np.zeros((1, 16, 16), np.uint8)])
    figure = refused(doors, "mask_shape", mask_file(labels, longer), "mask.nii.gz")
    assert told(figure) == [
        "From head to feet it measures 96.0 mm, the CT 80.0 mm.", "Its middle lies 8.0 mm toward the head.",
    ]  # fmt: skip


def test_the_picture_holds_no_word_of_the_file(doors: Doors, ct: Series, grid: Geometry) -> None:
    moved = replace(grid, positions=grid.positions + LEFT)
    figure = refused(doors, "mask_other_grid", nrrd(square_labels(), moved, free=f"Name:={MARK}\n"), f"{MARK}.nrrd")
    assert MARK not in figure and ct.patient.study_id not in figure


def test_what_cannot_be_read_or_lies_in_place_has_no_picture(
    doors: Doors, ct: Series, square: bytes, grid: Geometry
) -> None:
    empty = nrrd(np.zeros((5, 16, 16), np.uint8), grid)
    for code, content in (("not_a_mask", b"volume: 30 mL"), ("mask_incomplete", square[:-9]), ("mask_empty", empty)):
        doors.refuse(code, lambda content=content: {"file": SimpleUploadedFile("mask", content)})
        page, script, _ = (post({"file": SimpleUploadedFile("mask", content)}) for post in doors.posts())
        assert "figure" not in script.json() and "difference" not in page.content.decode()


def test_nothing_is_left_on_the_disk(
    doors: Doors, ct: Series, grid: Geometry, empty_tmp: Path, mask_file: MaskFile
) -> None:
    moved = replace(grid, positions=grid.positions + LEFT)
    refused(doors, "mask_other_grid", gzip.compress(gzip.decompress(mask_file(square_labels(), moved))), "mask.nii.gz")
    assert list(empty_tmp.iterdir()) == []


def test_the_picture_is_that_of_the_difference(grid: Geometry, tmp_path: Path, mask_file: MaskFile) -> None:
    moved = replace(grid, positions=grid.positions + LEFT)
    mask_file(square_labels(), moved)
    found: Any = grid_difference(tmp_path / "mask.nii.gz", grid)
    side, below = views(found)
    html = picture(found)
    for view in (side, below):
        assert f'viewBox="{view.box}"' in html
        assert all(f'points="{points}"' in html for points in (view.ct, view.mask, view.drawn))
