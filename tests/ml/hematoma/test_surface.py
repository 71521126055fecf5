"""Surfaces of bodies whose surface geometry gives."""

import math

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy.special import ellipeinc, ellipkinc

from ml.hematoma.surface import surface_mm2
from tests.ml.hematoma.bodies import EVEN, MIXED, Radii, ellipsoid, geometry_of

THIN = [1.0] * 60
BODIES: list[Radii] = [(20.0, 20.0, 20.0), (28.0, 14.0, 14.0), (26.0, 17.0, 9.0), (10.0, 10.0, 25.0), (9.0, 9.0, 9.0)]


def surface_of_ellipsoid(radii: Radii) -> float:
    """Legendre's formula (NIST Digital Library of Mathematical Functions, 19.33.2)."""
    a, b, c = sorted(radii, reverse=True)
    if a == c:
        return 4 * math.pi * a * a
    angle = math.acos(c / a)
    modulus = a * a * (b * b - c * c) / (b * b * (a * a - c * c))
    integrals = ellipeinc(angle, modulus) * math.sin(angle) ** 2 + ellipkinc(angle, modulus) * math.cos(angle) ** 2
    return float(2 * math.pi * c * c + 2 * math.pi * a * b / math.sin(angle) * integrals)


@pytest.mark.parametrize("tilt", [0.0, -20.0])
@pytest.mark.parametrize("gaps", [THIN, EVEN, MIXED], ids=["thin", "even", "mixed"])
@pytest.mark.parametrize("radii", BODIES, ids=str)
def test_surface_of_an_ellipsoid(radii: Radii, gaps: list[float], tilt: float) -> None:
    geometry = geometry_of(gaps, tilt)
    measured = surface_mm2(ellipsoid(geometry, radii, turn=0.6), geometry)
    # The small ball is on eight slices at most.
    close = 0.055 if radii[0] < 10 and gaps is not THIN else 0.025
    assert measured == pytest.approx(surface_of_ellipsoid(radii), rel=close)


@pytest.mark.parametrize("spacing", [(0.5, 0.5), (0.5, 0.8)])
def test_surface_of_a_box(spacing: tuple[float, float]) -> None:
    geometry = geometry_of(EVEN, spacing=spacing)
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[8:20, 50:110, 60:140] = True
    a, b, c = 12 * 2.5, 60 * spacing[0], 80 * spacing[1]
    assert surface_mm2(mask, geometry) == pytest.approx(2 * (a * b + b * c + c * a), rel=0.015)


@pytest.mark.parametrize("tilt", [25.0, -25.0])
def test_surface_of_a_leaning_column(tilt: float) -> None:
    """The same pixels on all slices of a tilted gantry are a prism whose sides lean."""
    geometry = geometry_of(MIXED, tilt)
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[5:20, 50:110, 60:140] = True
    # From half a gap before the first slice to half a gap behind the last one.
    along = geometry.voxel_to_lps(19.5, 0, 0) - geometry.voxel_to_lps(4.5, 0, 0)
    row, column = 40 * geometry.row_direction, 30 * geometry.column_direction
    sides = [float(np.linalg.norm(np.cross(*pair))) for pair in ((row, column), (row, along), (column, along))]
    assert surface_mm2(mask, geometry) == pytest.approx(2 * sum(sides), rel=0.015)


@pytest.mark.parametrize("z", [0, 3, 6], ids=["first", "middle", "last"])
def test_surface_of_one_voxel(z: int) -> None:
    geometry = geometry_of([4.0, 4.0, 4.0, 7.0, 7.0, 7.0])
    mask = np.zeros(geometry.shape, dtype=bool)
    mask[z, 0, 0] = True
    height = {0: 4.0, 3: 5.5, 6: 7.0}[z]
    assert surface_mm2(mask, geometry) == pytest.approx(2 * 0.25 + 4 * 0.5 * height, rel=1e-5)


def test_surfaces_of_parts_add_up() -> None:
    geometry = geometry_of(THIN)
    one, other = (np.roll(ellipsoid(geometry, (11.0, 9.0, 10.0)), shift, axis=2) for shift in (-40, 40))
    assert surface_mm2(one | other, geometry) == pytest.approx(
        surface_mm2(one, geometry) + surface_mm2(other, geometry), rel=0.01
    )


@pytest.mark.parametrize(("gaps", "tilt"), [(EVEN, 0.0), (MIXED, 0.0), (EVEN, 18.0), (MIXED, -18.0)])
def test_against_itk_on_even_cubes(gaps: list[float], tilt: float) -> None:
    """ITK measures even grids only: it sees the same body in cubes of 0.5 mm, and counts crossings of lines."""
    geometry, cubes = geometry_of(gaps, tilt), geometry_of([0.5] * 70)
    body = (21.0, 15.0, 16.0)
    image = sitk.GetImageFromArray(ellipsoid(cubes, body, 0.9).astype(np.uint8))
    image.SetSpacing((0.5, 0.5, 0.5))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(image)
    assert surface_mm2(ellipsoid(geometry, body, 0.9), geometry) == pytest.approx(shape.GetPerimeter(1), rel=0.03)
