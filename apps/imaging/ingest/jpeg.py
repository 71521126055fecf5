"""JPEG of 12 bits (Extended, and two retired processes), which pydicom leaves to others: decoded by GDCM, in memory."""

import gdcm
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import JPEGExtended12Bit

SYNTAXES = {
    str(JPEGExtended12Bit): gdcm.TransferSyntax.JPEGExtendedProcess2_4,
    "1.2.840.10008.1.2.4.53": gdcm.TransferSyntax.JPEGSpectralSelectionProcess6_8,
    "1.2.840.10008.1.2.4.55": gdcm.TransferSyntax.JPEGFullProgressionProcess10_12,
}


def decode_12_bit(dataset: Dataset) -> npt.NDArray[np.generic] | None:
    """Return the stored values (y, x) of a gray single-frame picture; None for what is not packed so.

    Raises whatever a damaged stream makes GDCM and numpy raise.
    """
    syntax = SYNTAXES.get(str(dataset.file_meta.TransferSyntaxUID))
    if syntax is None or dataset.SamplesPerPixel != 1 or dataset.BitsAllocated != 16:
        return None
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    content = _image_of(dataset, frame, syntax).GetBuffer().encode("utf-8", "surrogateescape")
    kind = "<i2" if dataset.PixelRepresentation else "<u2"
    return np.frombuffer(content, dtype=kind).reshape(dataset.Rows, dataset.Columns)


def _image_of(dataset: Dataset, frame: bytes, syntax: int) -> gdcm.Image:
    """Return GDCM's picture over the bytes of one frame, not yet decoded."""
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((dataset.Columns, dataset.Rows, 1))
    image.SetDataElement(element)
    kind = gdcm.PhotometricInterpretation.GetPIType(str(dataset.PhotometricInterpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    image.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    image.SetPixelFormat(
        gdcm.PixelFormat(1, 16, dataset.BitsStored, dataset.BitsStored - 1, dataset.PixelRepresentation)
    )
    return image
