"""The convolutions of a network in OpenVINO's own operations, layer by layer.

OpenVINO's converter has torch trace the network first and takes three seconds for a DenseNet-121; this takes a tenth
of one, and a model of nested cross-validation has 25 networks (docs/adr/0030).
"""

import sys
from types import ModuleType
from typing import Any

import numpy as np
import torch
from monai.networks.nets.densenet import _DenseLayer
from torch import nn


def openvino() -> ModuleType:
    """Import OpenVINO when it is first needed: after a worker has forked, and never in a page."""
    # It would send each import and conversion to its maker. Without this package it cannot: no word leaves a hospital.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def graph_of(module: nn.Module, channels: int) -> Any:
    """Return a module in evaluation mode as an OpenVINO model, from maps (1, channels, z, y, x) of any size.

    Raises
    ------
    TypeError
        A layer that no DenseNet has.
    """
    vino = openvino()
    maps = vino.opset13.parameter([1, channels, -1, -1, -1], np.float32)
    return vino.Model([_put(vino.opset13, module, maps)], [maps], "maps")


def _put(ops: Any, module: nn.Module, maps: Any) -> Any:
    """Append a module to the graph that computes ``maps``; return what it computes then."""
    match module:
        case nn.Sequential():
            for part in module.children():
                maps = _put(ops, part, maps)
            return maps
        case _DenseLayer():
            return ops.concat([maps, _put(ops, module.layers, maps)], 1)
        case nn.BatchNorm3d():
            scale, shift = _scale_and_shift(module)
            return ops.add(ops.multiply(maps, ops.constant(scale)), ops.constant(shift))
        case nn.Conv3d(bias=None, groups=1, padding_mode="zeros"):
            weight = ops.constant(module.weight.detach().numpy())
            return ops.convolution(maps, weight, *_steps(module), _three(module.dilation))
        case nn.ReLU():
            return ops.relu(maps)
        case nn.MaxPool3d(ceil_mode=False, dilation=1):
            stride, *padding = _steps(module)
            return ops.max_pool(maps, stride, [1, 1, 1], *padding, _three(module.kernel_size)).output(0)
        case nn.AvgPool3d(ceil_mode=False, padding=0):
            return ops.avg_pool(maps, *_steps(module), _three(module.kernel_size), exclude_pad=False)
    raise TypeError(f"{type(module).__name__} is no layer of a DenseNet.")


def _steps(module: nn.Conv3d | nn.MaxPool3d | nn.AvgPool3d) -> tuple[list[int], list[int], list[int]]:
    """Return stride, padding before and padding after."""
    padding = _three(module.padding)
    return _three(module.stride), padding, padding


def _three(value: Any) -> list[int]:
    """Return torch's number for all axes, or one for each, as one for each."""
    return [value] * 3 if isinstance(value, int) else list(value)


@torch.inference_mode()
def _scale_and_shift(norm: nn.BatchNorm3d) -> tuple[Any, Any]:
    """Return a normalization as a factor and a summand for each channel, (1, channels, 1, 1, 1)."""
    mean, variance, weight, bias = (
        tensor.double().reshape(1, -1, 1, 1, 1)
        for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        if tensor is not None
    )
    scale = weight / torch.sqrt(variance + norm.eps)
    return scale.float().numpy(), (bias - mean * scale).float().numpy()
