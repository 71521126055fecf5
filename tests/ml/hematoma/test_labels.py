"""Volumes of the kinds of blood in a mask, by hand and against planimetry and ITK."""

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813

from ml.hematoma import Label, areas_mm2, volume_ml, volumes_ml
from ml.volumes import Geometry, MaskError
from tests.ml.hematoma.bodies import EVEN, MIXED, geometry_of


def test_values_are_those_of_stored_masks() -> None:
    assert {label.name: int(label) for label in Label} == {
        "PARENCHYMAL": 1,
        "INTRAVENTRICULAR": 2,
        "EDEMA": 3,
        "SUBARACHNOID": 4,
        "SUBDURAL": 5,
        "EXTRADURAL": 6,
    }


@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_each_label_counts_with_the_extent_of_its_slices(tilt: float) -> None:
    geometry = geometry_of([4.0, 4.0, 1.08, 7.0, 7.0], tilt)  # extents 4, 4, 2.54, 4.04, 7 and 7 mm
    mask = np.zeros(geometry.shape, dtype=np.uint8)
    mask[1:4, 10:30, 10:50] = Label.PARENCHYMAL  # 10 mm x 20 mm
    mask[3:5, 50:60, 10:30] = Label.EDEMA  # 5 mm x 10 mm
    found = volumes_ml(mask, geometry)
    assert list(found) == list(Label)
    assert found[Label.PARENCHYMAL] == pytest.approx(200 * (4 + 2.54 + 4.04) / 1000)
    assert found[Label.EDEMA] == pytest.approx(50 * (4.04 + 7) / 1000)
    assert sum(found.values()) == pytest.approx(found[Label.PARENCHYMAL] + found[Label.EDEMA])
    assert areas_mm2(mask, geometry, Label.EDEMA) == pytest.approx([0, 0, 0, 50, 50, 0])


@pytest.mark.parametrize("gaps", [EVEN, MIXED])
def test_they_are_planimetrys_to_the_last_digit(gaps: list[float]) -> None:
    geometry = geometry_of(gaps, spacing=(0.488, 0.51))
    mask = any_labels(geometry)
    for label, milliliters in volumes_ml(mask, geometry).items():
        assert milliliters == volume_ml(mask == label, geometry)
        assert float(areas_mm2(mask, geometry, label) @ geometry.slice_extents) / 1000 == milliliters


def test_against_itk_on_even_slices() -> None:
    geometry = geometry_of(EVEN)
    mask = any_labels(geometry)
    image = sitk.GetImageFromArray(mask)
    image.SetSpacing((0.5, 0.5, 2.5))
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(image)
    found = volumes_ml(mask, geometry)
    assert found == pytest.approx({label: shape.GetPhysicalSize(int(label)) / 1000 for label in Label})


def test_nothing_outlined_and_a_mask_of_one_kind() -> None:
    geometry = geometry_of([5.0] * 4)
    empty = np.zeros(geometry.shape, dtype=np.uint8)
    assert volumes_ml(empty, geometry) == dict.fromkeys(Label, 0.0)
    assert not areas_mm2(empty, geometry, Label.PARENCHYMAL).any()
    one = empty.astype(bool)
    one[2, 5, 5] = True
    assert volumes_ml(one, geometry)[Label.PARENCHYMAL] == volume_ml(one, geometry) > 0


@pytest.mark.parametrize("value", [7, 255])
def test_a_value_that_is_no_label_is_refused(value: int) -> None:
    geometry = geometry_of([5.0] * 4)
    mask = np.zeros(geometry.shape, dtype=np.uint8)
    mask[2, 5, 5] = value
    with pytest.raises(MaskError, match="0 to 6") as caught:
        volumes_ml(mask, geometry)
    assert caught.value.code == "mask_labels"


def test_a_mask_of_another_shape_is_refused() -> None:
    geometry = geometry_of([5.0] * 4)
    for measure in (volumes_ml, lambda mask, volume: areas_mm2(mask, volume, Label.EDEMA)):
        with pytest.raises(MaskError) as caught:
            measure(np.ones((5, 10, 10), dtype=np.uint8), geometry)
        assert caught.value.code == "mask_shape"


def any_labels(geometry: Geometry) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(4).integers(0, len(Label) + 1, geometry.shape, dtype=np.uint8)
