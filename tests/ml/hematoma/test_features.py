"""Shape and density of bodies and distributions that are known, and against ITK and SciPy."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.ndimage import gaussian_filter

from ml.hematoma import FEATURES, abc2_ml, hematoma_features, volume_ml
from ml.volumes import MaskError, Volume
from tests.ml.hematoma.bodies import EVEN, MIXED, Radii, ellipsoid, geometry_of, scan

SMALL = geometry_of([5.0] * 4)


def box(volume: Volume, z: slice = slice(1, 4), y: slice = slice(20, 80), x: slice = slice(30, 110)) -> npt.NDArray:
    mask = np.zeros(volume.shape, dtype=np.uint8)
    mask[z, y, x] = 1
    return mask


def test_each_feature_is_a_number_and_volumes_are_planimetrys() -> None:
    volume = scan(SMALL, np.random.default_rng(1).normal(60, 8, SMALL.shape))
    mask = box(volume)
    found = hematoma_features(mask * 3, volume)
    assert tuple(found) == FEATURES
    assert all(type(value) is float and math.isfinite(value) for value in found.values())
    assert found["volume_ml"] == volume_ml(mask, volume)
    assert found["abc2_ml"] == abc2_ml(mask, volume)
    assert (found["parts"], found["slices"]) == (1, 3)


@pytest.mark.parametrize("tilt", [0.0, -20.0])
@pytest.mark.parametrize("gaps", [EVEN, MIXED], ids=["even", "mixed"])
@pytest.mark.parametrize("radii", [(18.0, 18.0, 18.0), (27.0, 18.0, 12.0), (12.0, 15.0, 21.0)], ids=str)
def test_axes_and_diameter_of_an_ellipsoid(radii: Radii, gaps: list[float], tilt: float) -> None:
    volume = scan(geometry_of(gaps, tilt))
    found = hematoma_features(ellipsoid(volume, radii, 0.6), volume)
    least, minor, major = sorted(radii)
    axes = [found[f"{name}_axis_mm"] for name in ("least", "minor", "major")]
    # Along an axis of radius r the variance of a full ellipsoid is r * r / 5.
    assert axes == pytest.approx([4 * radius / math.sqrt(5) for radius in (least, minor, major)], rel=0.03)
    assert found["elongation"] == pytest.approx(minor / major, rel=0.03)
    assert found["flatness"] == pytest.approx(least / major, rel=0.03)
    # The first and the last slice reach half a gap beyond their planes.
    assert -0.5 < found["largest_diameter_mm"] - 2 * major < 3.5
    if len(set(radii)) == 1:
        assert found["sphericity"] == pytest.approx(1, abs=0.025)


def test_shape_of_a_box() -> None:
    volume = scan(geometry_of([1.0] * 60))
    found = hematoma_features(box(volume, slice(10, 50)), volume)  # 40 x 30 x 40 mm
    assert found["sphericity"] == pytest.approx((36 * math.pi * 48000**2) ** (1 / 3) / 8000, rel=0.02)
    # A uniform density over a length has the variance of its square over 12.
    sides = [4 * side / math.sqrt(12) for side in (40, 40, 30)]
    assert [found[f"{name}_axis_mm"] for name in ("major", "minor", "least")] == pytest.approx(sides)
    assert found["largest_diameter_mm"] == pytest.approx(math.sqrt(40**2 + 30**2 + 40**2), rel=0.02)


def test_a_leaning_column_has_the_moments_of_a_prism() -> None:
    volume = scan(geometry_of(EVEN, 25.0))
    found = hematoma_features(box(volume, slice(5, 25)), volume)
    along = volume.voxel_to_lps(24.5, 0, 0) - volume.voxel_to_lps(4.5, 0, 0)
    edges = [along, 40 * volume.row_direction, 30 * volume.column_direction]
    moments = np.linalg.eigvalsh(sum(np.outer(edge, edge) for edge in edges) / 12)
    axes = [found[f"{name}_axis_mm"] for name in ("least", "minor", "major")]
    assert axes == pytest.approx(4 * np.sqrt(moments))


def test_one_voxel_has_its_own_size() -> None:
    volume = scan(SMALL, 71.0)
    found = hematoma_features(box(volume, slice(2, 3), slice(9, 10), slice(9, 10)), volume)
    assert found["major_axis_mm"] == pytest.approx(4 * 5 / math.sqrt(12))
    assert found["least_axis_mm"] == pytest.approx(4 * 0.5 / math.sqrt(12))
    assert found["largest_diameter_mm"] == pytest.approx(5)
    assert (found["density_mean_hu"], found["density_entropy_bits"]) == (71, 0)


def test_parts_and_slices_are_counted() -> None:
    volume = scan(SMALL)
    mask = box(volume, slice(0, 2), slice(10, 20), slice(10, 20))
    mask[2, 20, 20] = 1  # touches at a corner
    assert hematoma_features(mask, volume)["parts"] == 1
    mask[4, 20, 20] = 1
    found = hematoma_features(mask, volume)
    assert (found["parts"], found["slices"]) == (2, 4)


def test_a_body_in_steps_is_less_like_a_ball() -> None:
    volume = scan(geometry_of([2.5] * 31))
    smooth = ellipsoid(volume, (20.0, 20.0, 20.0))
    ragged = smooth & (np.indices(volume.shape)[2] // 6 % 2 == 0)
    found = [hematoma_features(mask, volume)["sphericity"] for mask in (smooth, ragged)]
    assert found[1] < 0.5 * found[0]


def test_equal_density_has_no_spread() -> None:
    volume = scan(SMALL, 0.1)
    found = hematoma_features(box(volume), volume)
    assert found["density_mean_hu"] == pytest.approx(0.1)
    names = ("sd_hu", "skewness", "kurtosis", "entropy_bits")
    assert [found[f"density_{name}"] for name in names] == [0, 0, 0, 0]


def test_known_distributions() -> None:
    hu = np.full(SMALL.shape, -1000.0)
    hu[2, 0] = np.resize([42.0, 47.0, 52.0, 57.0, 62.0, 67.0, 72.0, 77.0], 240)
    volume = scan(SMALL, hu)
    found = hematoma_features(box(volume, slice(2, 3), slice(0, 1), slice(0, 240)), volume)
    assert found["density_entropy_bits"] == pytest.approx(3)  # eight bins alike
    assert found["density_mean_hu"] == pytest.approx(59.5)
    assert found["density_sd_hu"] == pytest.approx(5 * math.sqrt((8**2 - 1) / 12))
    assert found["density_skewness"] == pytest.approx(0, abs=1e-12)
    assert found["density_kurtosis"] == pytest.approx(-1.2 * (8**2 + 1) / (8**2 - 1))  # discrete uniform
    assert [found[f"density_{name}_hu"] for name in ("p10", "median", "p90")] == [42, 57, 77]


def test_density_on_even_slices_is_scipys() -> None:
    hu = np.random.default_rng(3).gamma(4.0, 12.0, SMALL.shape).round()
    volume = scan(SMALL, hu)
    mask = box(volume)
    values, found = volume.hu[mask > 0].astype(np.float64), hematoma_features(mask, volume)
    assert found["density_skewness"] == pytest.approx(stats.skew(values))
    assert found["density_kurtosis"] == pytest.approx(stats.kurtosis(values))
    assert found["density_p90_hu"] == np.percentile(values, 90)
    counts = np.histogram(values, bins=np.arange(-5, 500, 5.0))[0]
    assert found["density_entropy_bits"] == pytest.approx(stats.entropy(counts, base=2))


def test_a_slice_counts_with_its_extent() -> None:
    volume = scan(geometry_of([2.0, 2.0, 6.0, 6.0]), np.array([0, 40, 0, 80, 0])[:, None, None])
    mask = box(volume, slice(1, 4))
    mask[2] = 0
    found = hematoma_features(mask, volume)  # extents 2 mm and 6 mm
    assert found["density_mean_hu"] == pytest.approx(70)
    assert found["density_sd_hu"] == pytest.approx(math.sqrt(0.25 * 30**2 + 0.75 * 10**2))
    assert (found["density_p10_hu"], found["density_median_hu"]) == (40, 80)
    assert found["density_entropy_bits"] == pytest.approx(0.25 * 2 + 0.75 * math.log2(4 / 3))


def test_against_itk_on_even_slices() -> None:
    rng = np.random.default_rng(0)
    geometry = geometry_of([2.5] * 20)
    noise = gaussian_filter(rng.normal(size=geometry.shape), (2, 8, 8))
    mask = noise > np.quantile(noise, 0.99)
    volume = scan(geometry, rng.normal(60, 8, geometry.shape).round())
    found = hematoma_features(mask, volume)
    labels = itk_image(mask.astype(np.uint8))
    shape, density = sitk.LabelShapeStatisticsImageFilter(), sitk.LabelIntensityStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.Execute(labels)
    density.Execute(labels, itk_image(volume.hu))
    n = density.GetNumberOfPixels(1)
    assert found["volume_ml"] == pytest.approx(shape.GetPhysicalSize(1) / 1000)
    assert found["parts"] == sitk.GetArrayFromImage(sitk.ConnectedComponent(labels, True)).max()
    # ITK takes moments and diameter of the voxels' centers.
    squares = [found[f"{name}_axis_mm"] ** 2 / 16 for name in ("least", "minor", "major")]
    own = (0.5**2 + 0.5**2 + 2.5**2) / 12
    assert sum(squares) == pytest.approx(sum(shape.GetPrincipalMoments(1)) + own)
    assert 0 < found["largest_diameter_mm"] - shape.GetFeretDiameter(1) < 2.5
    assert found["surface_mm2"] == pytest.approx(shape.GetPerimeter(1), rel=0.05)
    assert found["density_mean_hu"] == pytest.approx(density.GetMean(1))
    assert found["density_sd_hu"] == pytest.approx(density.GetStandardDeviation(1) * math.sqrt((n - 1) / n))


@pytest.mark.parametrize(("gaps", "tilt"), [(MIXED, 0.0), (EVEN, 18.0), (MIXED, -18.0)])
def test_against_itk_on_even_cubes(gaps: list[float], tilt: float) -> None:
    """ITK measures even grids only: it sees the same body in cubes of 0.5 mm."""
    volume, cubes, body = scan(geometry_of(gaps, tilt)), geometry_of([0.5] * 70), (24.0, 13.0, 16.0)
    found = hematoma_features(ellipsoid(volume, body, 0.9), volume)
    image = itk_image(ellipsoid(cubes, body, 0.9).astype(np.uint8), (0.5, 0.5, 0.5))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.Execute(image)
    least, minor, major = 4 * np.sqrt(shape.GetPrincipalMoments(1))
    axes = [found[f"{name}_axis_mm"] for name in ("least", "minor", "major")]
    assert axes == pytest.approx([least, minor, major], rel=0.03)
    assert found["largest_diameter_mm"] == pytest.approx(shape.GetFeretDiameter(1), rel=0.03)
    assert found["sphericity"] == pytest.approx(shape.GetRoundness(1), rel=0.03)
    assert found["volume_ml"] == pytest.approx(shape.GetPhysicalSize(1) / 1000, rel=0.015)


def itk_image(array: npt.NDArray, spacing: Radii = (0.5, 0.5, 2.5)) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    return image


@settings(max_examples=40, deadline=None)
@given(
    cells=st.sets(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40),
    shift=st.tuples(st.integers(0, 190), st.integers(0, 230)),
    tilt=st.sampled_from([0.0, 15.0]),
)
def test_any_mask_anywhere(cells: set[tuple[int, int, int]], shift: tuple[int, int], tilt: float) -> None:
    volume = scan(geometry_of([5.0, 5.0, 3.0, 7.0], tilt))
    z, y, x = np.transpose(sorted(cells))
    here, there = (np.zeros(volume.shape, dtype=bool) for _ in range(2))
    here[z, y, x] = there[z, y + shift[0], x + shift[1]] = True
    found, moved = hematoma_features(here, volume), hematoma_features(there, volume)
    assert moved == pytest.approx(found, rel=1e-4, abs=1e-6)
    assert 0 < found["flatness"] <= found["elongation"] <= 1
    assert found["least_axis_mm"] > 0 and found["surface_mm2"] > 0
    assert 1 <= found["parts"] <= len(cells) and found["slices"] == len(set(z))
    assert found["largest_diameter_mm"] >= 5 * (found["slices"] > 3)


def test_an_empty_mask_or_one_of_another_shape_is_refused() -> None:
    volume = scan(SMALL)
    with pytest.raises(MaskError, match="outline the hematoma") as caught:
        hematoma_features(np.zeros(volume.shape), volume)
    assert caught.value.code == "mask_empty"
    with pytest.raises(MaskError) as caught:
        hematoma_features(np.ones((5, 10, 10)), volume)
    assert caught.value.code == "mask_shape"
