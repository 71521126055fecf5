"""What the headers of a CT series tell about it: every odd thing that a hospital sends becomes a finding."""

from ml.volumes.report.findings import Finding, SeriesReport
from ml.volumes.report.protocol import is_other_body_part, is_sharp_kernel, names_contrast_agent
from ml.volumes.report.series import report_series

__all__ = [
    "Finding",
    "SeriesReport",
    "is_other_body_part",
    "is_sharp_kernel",
    "names_contrast_agent",
    "report_series",
]
