"""Voxel indices and places in the patient."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.volumes import Geometry, Volume, describe_gaps, read_geometry
from tests.ml.dicom_factory import ROW, make_series, table_positions, tilted_column

GAPS = st.lists(st.sampled_from([0.625, 1.08, 4.0, 5.0, 7.0]), min_size=2, max_size=12)


def geometry_of(
    gaps: list[float], tilt: float, row: tuple[float, ...] = ROW, spacing: tuple[float, float] = (0.4, 0.6)
) -> Geometry:
    count = len(gaps) + 1
    datasets = make_series(
        np.zeros((count, 8, 10)), table_positions(gaps, tilt=tilt), row, tilted_column(tilt), spacing, PixelData=None
    )
    return read_geometry(datasets)


def test_voxel_places_follow_the_dicom_equation() -> None:
    # PS3.3, equation C.7.6.2.1-1: position + column index x row direction x column spacing + row index x ...
    geometry = geometry_of([4.0, 7.0], 30.0)
    place = geometry.voxel_to_lps(1, 5, 3)
    step = 4.0 / np.cos(np.radians(30.0))
    expected = [-60 + 3 * 0.6, -50 + 5 * 0.4 * np.cos(np.radians(30)), -40 + step - 5 * 0.4 * np.sin(np.radians(30))]
    np.testing.assert_allclose(place, expected, atol=1e-8)


def test_between_slices_of_a_tilted_stack_the_place_moves_with_the_table() -> None:
    geometry = geometry_of([4.0, 7.0], 20.0)
    half = geometry.voxel_to_lps(1.5, 0, 0)
    np.testing.assert_allclose(half, (geometry.positions[1] + geometry.positions[2]) / 2)


@settings(deadline=None)
@given(
    gaps=GAPS,
    tilt=st.floats(-30, 30),
    mirrored=st.booleans(),
    fractions=st.lists(st.tuples(*[st.floats(-0.3, 1.3)] * 3), min_size=1, max_size=5),
)
def test_index_and_place_are_inverse(
    gaps: list[float], tilt: float, mirrored: bool, fractions: list[tuple[float, float, float]]
) -> None:
    geometry = geometry_of(gaps, tilt, (-1.0, 0.0, 0.0) if mirrored else ROW)
    index = np.array(fractions) * (np.array(geometry.shape) - 1)
    places = geometry.voxel_to_lps(*index.T)
    assert places.shape == (len(fractions), 3)
    np.testing.assert_allclose(geometry.lps_to_voxel(places), index, atol=1e-6)


@settings(deadline=None)
@given(gaps=GAPS, tilt=st.floats(-30, 30))
def test_runs_hold_every_gap_and_the_whole_length(gaps: list[float], tilt: float) -> None:
    runs = describe_gaps(geometry_of(gaps, tilt))
    assert [gap for count, gap in runs for _ in range(count)] == pytest.approx(gaps, abs=0.0051)


@settings(deadline=None)
@given(gaps=GAPS, tilt=st.floats(-30, 30))
def test_slice_extents_fill_the_stack_and_half_a_gap_beyond_either_end(gaps: list[float], tilt: float) -> None:
    geometry = geometry_of(gaps, tilt)
    assert geometry.slice_extents.sum() == pytest.approx(sum(gaps) + gaps[0] / 2 + gaps[-1] / 2)


def test_a_volume_is_a_geometry_with_voxels() -> None:
    geometry = geometry_of([4.0, 7.0], 20.0)
    fields = {name: getattr(geometry, name) for name in Geometry.__dataclass_fields__ if name != "matrix"}
    volume = Volume(hu=np.zeros((3, 8, 10), dtype=np.float32), **fields)
    assert volume.shape == geometry.shape
    with pytest.raises(ValueError, match="4 slices"):
        Volume(hu=np.zeros((4, 8, 10), dtype=np.float32), **fields)
