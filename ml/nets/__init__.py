"""The networks: of the image alone (3-D DenseNet-121), of the clinical record alone, and of both joined."""

from typing import TYPE_CHECKING

from ml.lazy import lazy
from ml.nets.shape import DENSENET121_BLOCKS, minimum_side

if TYPE_CHECKING:
    from ml.nets.clinical import ClinicalNet
    from ml.nets.features import DenseFeatures
    from ml.nets.fusion import FusionNet, FusionOutput
    from ml.nets.gmu import GatedMultimodalUnit
    from ml.nets.imaging import ImagingNet

__all__ = [
    "DENSENET121_BLOCKS",
    "ClinicalNet",
    "DenseFeatures",
    "FusionNet",
    "FusionOutput",
    "GatedMultimodalUnit",
    "ImagingNet",
    "minimum_side",
]

__getattr__ = lazy(
    __name__,
    {
        "ClinicalNet": "clinical",
        "DenseFeatures": "features",
        "FusionNet": "fusion",
        "FusionOutput": "fusion",
        "GatedMultimodalUnit": "gmu",
        "ImagingNet": "imaging",
    },
)
