"""The networks: a 3-D DenseNet-121 for the image alone, and the same backbone joined with the clinical record."""

from ml.nets.features import DENSENET121_BLOCKS, DenseFeatures
from ml.nets.fusion import FusionNet, FusionOutput
from ml.nets.gmu import GatedMultimodalUnit
from ml.nets.imaging import ImagingNet

__all__ = ["DENSENET121_BLOCKS", "DenseFeatures", "FusionNet", "FusionOutput", "GatedMultimodalUnit", "ImagingNet"]
