"""The report on a series: its slices parted from the rest, then judged."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pydicom

from ml.volumes.errors import SeriesError
from ml.volumes.geometry import Geometry
from ml.volumes.headers import sorted_geometry
from ml.volumes.report.findings import Finding, SeriesReport, sort_findings
from ml.volumes.report.parting import NoVolumeError, Parting, part
from ml.volumes.report.protocol import protocol_findings
from ml.volumes.report.slices import Slice, read_slices
from ml.volumes.report.spacing import spacing_findings, stack_of

# The brain of an adult reaches some 130 mm from the foramen magnum to the vertex.
_LEAST_COVERAGE_MM, _USUAL_COVERAGE_MM, _HEAD_MM = 60.0, 110.0, 350.0
_THICK_MM = 10.0
_PIXEL_MM = (0.2, 1.0)
_TILTED_DEGREES, _STRONG_TILT_DEGREES = 0.5, 30.0


def report_series(headers: Sequence[pydicom.Dataset], pixel_digests: Mapping[str, str] | None = None) -> SeriesReport:
    """Part the slices of a CT series from what else it holds, and judge their geometry and acquisition.

    Parameters
    ----------
    headers
        Data sets of one SeriesInstanceUID, in any order, original or de-identified; pixels are not needed.
    pixel_digests
        SOPInstanceUID to a digest of the decoded pixels and their position. Without it, two slices in one place count
        as one picture where their headers agree.

    Returns
    -------
    SeriesReport
        Lengths are mm. Gaps and thickness are measured along the normal of the slices, coverage along the body axis.

    Raises
    ------
    Nothing of its own: odd content becomes a finding.

    Notes
    -----
    Places come from ImagePositionPatient and ImageOrientationPatient (DICOM PS3.3, C.7.6.2), never from SliceLocation.
    InstanceNumber and SliceThickness only tell whether a wide gap lacks a slice or belongs to the protocol.
    """
    parting = Parting(read_slices(headers, pixel_digests or {}))
    geometry: Geometry | None = None
    try:
        part(parting)
        geometry, ordered = sorted_geometry([one.header for one in parting.kept])
    except NoVolumeError as error:
        parting.findings.append(error.finding)
    except SeriesError as error:
        parting.findings.append(Finding(error.code, "fail", str(error)))
    if geometry is None:
        return SeriesReport(sort_findings(parting.findings), None, (), parting.left_out)
    by_header = {id(one.header): one for one in parting.kept}
    slices = [by_header[id(header)] for header in ordered]
    findings = [*parting.findings, *_judge(geometry, slices)]
    return SeriesReport(sort_findings(findings), geometry, geometry.sop_instance_uids, parting.left_out)


def _judge(geometry: Geometry, slices: Sequence[Slice]) -> Iterator[Finding]:
    yield from spacing_findings(stack_of(geometry, slices))
    yield from _coverage(geometry)
    yield from protocol_findings(slices)
    yield from _slice_form(geometry, slices)
    yield from _tilt(geometry)


def _coverage(geometry: Geometry) -> Iterator[Finding]:
    covered = float(np.sum(geometry.slice_extents) / geometry.normal[2])
    if covered < _LEAST_COVERAGE_MM:
        yield Finding(
            "short_coverage",
            "fail",
            f"The slices cover {covered:.0f} mm of the body, too little for a head: send the whole series.",
        )
    elif covered < _USUAL_COVERAGE_MM:
        yield Finding(
            "short_coverage",
            "warn",
            f"The slices cover {covered:.0f} mm and may not reach from the vertex to the foramen magnum: "
            "check that the whole series was sent.",
        )
    elif covered > _HEAD_MM:
        yield Finding(
            "long_coverage",
            "warn",
            f"The slices cover {covered:.0f} mm, more than a head: check that it is a head CT.",
        )


def _slice_form(geometry: Geometry, slices: Sequence[Slice]) -> Iterator[Finding]:
    thickest = max((one.thickness for one in slices if one.thickness is not None), default=0.0)
    if thickest > _THICK_MM:
        yield Finding(
            "thick_slices",
            "warn",
            f"Slices are stated to be {thickest:g} mm thick, so small bleeds may be lost: "
            "send a thinner reconstruction if there is one.",
        )
    if not all(_PIXEL_MM[0] <= spacing <= _PIXEL_MM[1] for spacing in geometry.pixel_spacing):
        yield Finding(
            "pixel_size",
            "warn",
            f"Pixels measure {geometry.pixel_spacing[0]:.2f} x {geometry.pixel_spacing[1]:.2f} mm, unusual for a head: "
            "check that it is a head CT.",
        )


def _tilt(geometry: Geometry) -> Iterator[Finding]:
    tilt = geometry.tilt_degrees
    if abs(tilt) > _STRONG_TILT_DEGREES:
        yield Finding(
            "strong_tilt",
            "warn",
            f"The slices are tilted by {tilt:.1f} degrees, more than a gantry tilts: check that the series is axial.",
        )
    elif abs(tilt) >= _TILTED_DEGREES:
        yield Finding("tilted", "info", f"The slices are tilted by {tilt:.1f} degrees; the true positions are used.")
