"""Gradients along the way from one input to another."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


def mean_gradients(
    function: Callable[[list[Tensor]], Tensor], starts: Sequence[Tensor], ends: Sequence[Tensor], *, nodes: int
) -> list[Tensor]:
    """Return the mean gradient of a function on the straight line between two points.

    Times the distance that each element goes, it is that element's integrated gradient: its share of the difference of
    the function (Sundararajan et al., "Axiomatic Attribution for Deep Networks", arXiv 1703.01365, equation 1).

    Parameters
    ----------
    function
        From tensors shaped like ``starts`` to one value, of any shape; it is differentiable.
    starts, ends
        The two points, each of one or more tensors; all of them move together.
    nodes
        How many gradients are taken: Gauss-Legendre quadrature, exact where the gradient is a polynomial of degree
        2 nodes - 1 along the line.

    Returns
    -------
    list of Tensor
        Shaped like ``starts``.
    """
    places, weights = np.polynomial.legendre.leggauss(nodes)
    means = [torch.zeros_like(start) for start in starts]
    for along, weight in zip((places + 1) / 2, weights / 2, strict=True):
        points = [(a + float(along) * (b - a)).requires_grad_() for a, b in zip(starts, ends, strict=True)]
        for mean, gradient in zip(means, torch.autograd.grad(function(points).sum(), points), strict=True):
            mean.add_(gradient, alpha=float(weight))
    return means
