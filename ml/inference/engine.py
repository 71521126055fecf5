"""The convolutions of a network on the CPU, compiled by OpenVINO for one size of image."""

import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.inference.graph import graph_of, openvino
from ml.nets import DenseFeatures

Precision = Literal["bf16", "f32"]
Shape = tuple[int, int, int]
Array = NDArray[np.float32]

# A change of the logit L by e max(1, |L|) moves the probability by at most 0.25 e: half of the 1e-3 that are allowed.
LARGEST_CHANGE = 2e-3
# How a network is put to OpenVINO. Another way moves the last digits, so each prediction names the one it came by.
GRAPH_VERSION = 3
# Voxels to a map of the stem, along each axis: one convolution and one pooling, each by two.
STRIDE = 4
# Its boxes are whole multiples of this: OpenVINO keeps what it makes for each size, and so there are few.
BOX_STEP = 2 * STRIDE
# Of fewer voxels a DenseNet-121 takes 0.03 s in float32: nothing to gain.
FEWEST_VOXELS = 64**3


class CompiledMaps(nn.Module):
    """Stem and dense blocks of a :class:`ml.nets.DenseFeatures`, without its last normalization.

    In bfloat16 the stem stays in float32: with one channel in, it has next to no speed to gain, and the change of the
    logit fell from a standard deviation of 0.016 to 0.0025 (a trained DenseNet-121, 20 images of 40 x 64 x 64).

    Parameters
    ----------
    graphs
        Stem and blocks as OpenVINO models.
    shape
        Size of the images, (z, y, x).
    precision
        Of the dense blocks.
    keep
        Whether to keep the memory of the layers from one image to the next, which saves a tenth of a second. For
        images of 80 x 192 x 192 a DenseNet-121 needs 0.25 GB: networks that are many give it back.
    """

    def __init__(self, graphs: list[Any], shape: Shape, precision: Precision, *, keep: bool) -> None:
        super().__init__()
        # A request owns the memory of all its layers: there is one, and callers in other threads wait for it.
        self._lock = threading.Lock()
        self._keep = keep
        stem, blocks = graphs
        self._stem = _compile(stem, "f32").create_infer_request()
        self._empty = _infer(self._stem, np.zeros((1, 1, *shape), dtype=np.float32)).copy()
        blocks.reshape(list(self._empty.shape))
        self._blocks = _compile(blocks, precision).create_infer_request()
        self._give_back()

    def forward(self, image: Tensor) -> Tensor:
        """Turn an image (1, 1, z, y, x) into feature maps (1, channels, z', y', x')."""
        with self._lock:
            found = torch.from_numpy(_infer(self._blocks, self._through_stem(image.numpy())).copy())
            self._give_back()
        return found

    def _give_back(self) -> None:
        if not self._keep:
            for request in (self._stem, self._blocks):
                request.get_compiled_model().release_memory()

    def _through_stem(self, image: Array) -> Array:
        """Compute what the content of an image reaches; all else is as in an empty image."""
        near = [_reached(image[0, 0] != 0, axis) for axis in range(3)]
        maps = self._empty.copy()
        if all(span.stop for span in near):
            inside = [slice(span.start // STRIDE, -(-span.stop // STRIDE)) for span in near]
            maps[:, :, *inside] = _infer(self._stem, np.ascontiguousarray(image[:, :, *near]))
        return maps


def _reached(content: NDArray[np.bool_], axis: int) -> slice:
    """Return the rows of an axis whose maps may differ from those of an empty image, and as much around them.

    A voxel reaches 3 others in the convolution, and then 1 of every second one in the pooling. So far from the content
    the image is as empty as what is padded to it, and begins where a map does.
    """
    found = np.flatnonzero(content.any(axis=tuple(other for other in range(3) if other != axis)))
    if not len(found):
        return slice(0, 0)
    first, last = max(0, int(found[0]) - 4), int(found[-1]) + 6
    return slice(first // BOX_STEP * BOX_STEP, min(content.shape[axis], -(-last // BOX_STEP) * BOX_STEP))


@torch.inference_mode()
def compile_features(
    features: DenseFeatures, shape: Shape, logit: Callable[[Tensor], Tensor], *, keep: bool = True
) -> Precision:
    """Replace the convolutions of a backbone on the CPU, in evaluation mode, and return the precision of the new ones.

    Last normalization, pooling and all that follows stay torch's, in float32. The blocks compute in bfloat16 where the
    processor does, the images are large, and the logits of a few fixed images change by no more than
    ``LARGEST_CHANGE``; a network that tells patients apart by small differences of its features keeps float32.

    Parameters
    ----------
    features
        The backbone; what it held of convolutions is released.
    shape
        Size of all images to come, (z, y, x), each side at least ``minimum_side``.
    logit
        The whole network, from an image (1, 1, z, y, x) to its logit (1,); called before and after the replacement.
    keep
        Whether to keep the memory of the layers from one image to the next.
    """
    maps = features.maps
    first = next(i for i, (name, _) in enumerate(maps.named_children()) if name.startswith("denseblock"))
    stem, norm = maps[:first], maps[-1]
    blocks = nn.Sequential(*(_pooled_first(part) for part in maps[first:-1].children()))
    graphs = [graph_of(stem, 1), graph_of(blocks, cast("nn.Conv3d", maps[0]).out_channels)]
    if math.prod(shape) >= FEWEST_VOXELS and _computes_bf16():
        wanted = torch.cat([logit(image) for image in _fixed_images(shape)])
        features.maps = nn.Sequential(CompiledMaps(graphs, shape, "bf16", keep=keep), norm)
        found = torch.cat([logit(image) for image in _fixed_images(shape)])
        if bool((abs(found - wanted) <= LARGEST_CHANGE * abs(wanted).clamp(min=1)).all()):
            return "bf16"
    features.maps = nn.Sequential(CompiledMaps(graphs, shape, "f32", keep=keep), norm)
    return "f32"


def _pooled_first(part: nn.Module) -> nn.Module:
    """Let a transition average before its convolution: both are linear, and an eighth of the voxels is left."""
    steps = dict(part.named_children())
    if "pool" not in steps:
        return part
    return nn.Sequential(steps["norm"], steps["relu"], steps["pool"], steps["conv"])


def engine_version() -> str:
    """Return the release of OpenVINO and the version of what it is given."""
    version: str = openvino().__version__
    return f"openvino {version.partition('-')[0]}, graph {GRAPH_VERSION}"


def _infer(request: Any, maps: Array) -> Array:
    """Return what the graph of a request computes; the next call overwrites it."""
    found: Array = request.infer({0: maps}, share_inputs=True, share_outputs=True)[0]
    return found


def _computes_bf16() -> bool:
    return "BF16" in openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _compile(graph: Any, precision: Precision) -> Any:
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        # Workers side by side would all be bound to the same first cores.
        "ENABLE_CPU_PINNING": False,
    }
    return openvino().Core().compile_model(graph, "CPU", settings)


def _fixed_images(shape: Shape) -> Iterator[Tensor]:
    """Yield a round brain with a small and with a large bleed, and noise: (1, 1, z, y, x), always the same."""
    random = np.random.default_rng(0)
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, side) for side in shape], indexing="ij", sparse=True)
    for radius in (0.2, 0.4):
        image = np.where(z**2 + y**2 + x**2 < 0.85, 0.4 + 0.05 * random.standard_normal(shape), 0)
        image[(z - 0.2) ** 2 + y**2 + (x - 0.3) ** 2 < radius**2] = 0.75
        yield torch.from_numpy(image.clip(0, 1).astype(np.float32))[None, None]
    yield torch.from_numpy(random.random(shape, dtype=np.float32))[None, None]
