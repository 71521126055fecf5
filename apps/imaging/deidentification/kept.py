"""The allow-list: each attribute that may stay, with the form that its value must have.

Only what places, decodes, windows and describes the acquisition of a CT slice is kept, with the patient's
characteristics. Names, dates of birth, accession numbers, addresses, physicians, institutions, overlays, sequences and
private tags fall away because nobody listed them.
"""

from apps.imaging.deidentification.forms import (
    Form,
    agent,
    decimals,
    description,
    image_type,
    integers,
    kernel,
    maker,
    matching,
    shorts,
    words,
)

_DS, _IS, _US = decimals, integers, shorts
_TIME = matching(r"\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?")
_BODY_PARTS = (
    "HEAD", "BRAIN", "SKULL", "HEADNECK", "HEAD_NECK", "HEAD NECK", "NECK", "FACE", "ORBIT", "SINUS", "IAC", "EAR",
    "TEMPORAL BONE", "CSPINE", "C SPINE", "TSPINE", "LSPINE", "SPINE", "CHEST", "THORAX", "HEART", "ABDOMEN", "PELVIS",
    "ABDOMENPELVIS", "CHESTABDPELVIS", "EXTREMITY", "LEG", "KNEE", "SHOULDER", "HIP", "WHOLEBODY",
)  # fmt: skip
_SCAN_OPTIONS = (
    "HELICAL MODE", "AXIAL MODE", "SCOUT MODE", "CINE MODE", "HELICAL", "HELIX", "SPIRAL", "AXIAL", "SEQUENTIAL",
    "SEQUENCE", "SURVIEW", "SCOUT", "TOPOGRAM", "HELICAL_CT", "NORMAL_CT", "VOLUME_CT", "DYNAMIC_CT", "SCANO",
)  # fmt: skip

DESCRIPTIONS = ("StudyDescription", "SeriesDescription", "ProtocolName")
DATES = (
    "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate", "DateOfSecondaryCapture",
)  # fmt: skip
PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")
DATES_AND_TIMES = ("AcquisitionDateTime",)
REPLACED_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")

_COMMON: dict[str, Form] = {
    **dict.fromkeys(DESCRIPTIONS, description),
    # times of day are not moved, so that onset-to-CT can be checked
    "StudyTime": _TIME, "SeriesTime": _TIME, "AcquisitionTime": _TIME, "ContentTime": _TIME,
    "InstanceCreationTime": _TIME, "TimeOfSecondaryCapture": _TIME,
    # the patient's characteristics
    "PatientSex": words("M", "F", "O"), "PatientAge": matching(r"\d{3}[DWMY]"), "PatientSize": _DS,
    "PatientWeight": _DS, "PregnancyStatus": _US, "SmokingStatus": words("YES", "NO", "UNKNOWN"),
    "PatientSexNeutered": words("ALTERED", "UNALTERED"),
    "EthnicGroup": words("ASIAN", "BLACK", "WHITE", "CAUCASIAN", "HISPANIC", "AFRICAN", "CHINESE", "HAN", "OTHER"),
    # the device
    "Manufacturer": maker, "BodyPartExamined": words(*_BODY_PARTS),
    "Laterality": words("R", "L"), "PatientOrientation": matching("[ALHPRF]{1,3}"),
    # place in the series
    "ImageType": image_type, "SeriesNumber": _IS, "AcquisitionNumber": _IS, "InstanceNumber": _IS,
    # the pixels
    "SamplesPerPixel": _US, "Rows": _US, "Columns": _US, "BitsAllocated": _US, "BitsStored": _US, "HighBit": _US,
    "PixelRepresentation": _US, "WindowCenter": _DS, "WindowWidth": _DS,
    "RescaleIntercept": _DS, "RescaleSlope": _DS, "RescaleType": words("HU", "US"),
    "LossyImageCompression": words("00", "01"), "LossyImageCompressionRatio": _DS,
    "LossyImageCompressionMethod": matching(r"ISO_\d{5}_\d{1,2}"),
}  # fmt: skip

# A slice of a CT.
SLICE: dict[str, Form] = {
    **_COMMON,
    "Modality": words("CT"), "PhotometricInterpretation": words("MONOCHROME1", "MONOCHROME2"),
    "BurnedInAnnotation": words("NO"),
    "ContrastBolusAgent": agent, "ScanOptions": words(*_SCAN_OPTIONS),
    "AcquisitionType": words("SEQUENCED", "SPIRAL", "CONSTANT_ANGLE", "STATIONARY", "FREE"),
    "SliceThickness": _DS, "KVP": _DS, "SpacingBetweenSlices": _DS, "DataCollectionDiameter": _DS,
    "ReconstructionDiameter": _DS, "GantryDetectorTilt": _DS, "TableHeight": _DS,
    "RotationDirection": words("CW", "CC"), "ExposureTime": _IS, "XRayTubeCurrent": _IS, "Exposure": _IS,
    "ConvolutionKernel": kernel, "PatientPosition": matching("[HF]F(S|P|DR|DL)"), "ImagePositionPatient": _DS,
    "ImageOrientationPatient": _DS, "SliceLocation": _DS, "PixelSpacing": _DS,
}  # fmt: skip

# A picture for a person to look at: a screen shot, or a slice with text burned in.
PICTURE: dict[str, Form] = {
    **SLICE,
    "Modality": words("CT", "OT", "SC"), "BurnedInAnnotation": words("YES", "NO"),
    "ConversionType": words("DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"),
    "PhotometricInterpretation": words(
        "MONOCHROME1", "MONOCHROME2", "RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"
    ),
    "PlanarConfiguration": _US, "NumberOfFrames": _IS,
    "RedPaletteColorLookupTableDescriptor": _US, "GreenPaletteColorLookupTableDescriptor": _US,
    "BluePaletteColorLookupTableDescriptor": _US,
}  # fmt: skip
PALETTES = (
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
)  # fmt: skip

# Type 2: present, and empty where nothing may be said.
EMPTIED = ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID")
EMPTY_IF_UNKNOWN = ("PatientSex", "StudyDate", "StudyTime", "SeriesNumber", "Manufacturer", "InstanceNumber")
# Type 2C: as the two above, but only where the sender has them.
EMPTY_IF_SENT = ("Laterality", "PatientOrientation")
# Type 2 of the modules that a CT image alone has.
EMPTIED_OF_CT = ("PositionReferenceIndicator",)
EMPTY_IF_UNKNOWN_OF_CT = ("AcquisitionNumber", "KVP", "SliceThickness")
