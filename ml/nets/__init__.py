"""The networks: a 3-D DenseNet-121 for the image alone, and the same backbone joined with the clinical record."""

from typing import TYPE_CHECKING

from ml.lazy import lazy
from ml.nets.shape import DENSENET121_BLOCKS, minimum_side

if TYPE_CHECKING:
    from ml.nets.features import DenseFeatures
    from ml.nets.fusion import FusionNet, FusionOutput
    from ml.nets.gmu import GatedMultimodalUnit
    from ml.nets.imaging import ImagingNet

__all__ = [
    "DENSENET121_BLOCKS",
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
        "DenseFeatures": "features",
        "FusionNet": "fusion",
        "FusionOutput": "fusion",
        "GatedMultimodalUnit": "gmu",
        "ImagingNet": "imaging",
    },
)
