"""How the density of a hematoma is spread: first-order statistics of its Hounsfield units."""

import numpy as np
import numpy.typing as npt

from ml.volumes import Volume

_BIN_HU = 5.0


def density_features(hematoma: npt.NDArray[np.bool_], volume: Volume) -> dict[str, float]:
    """Describe the Hounsfield units within a hematoma.

    Parameters
    ----------
    hematoma
        (z, y, x) bool on the grid of `volume`, not empty.
    volume
        The CT.

    Returns
    -------
    dict
        ``density_mean_hu``, ``density_sd_hu`` (of the population), ``density_p10_hu``, ``density_median_hu``,
        ``density_p90_hu``, ``density_skewness``, ``density_kurtosis`` (above that of a normal distribution; both 0
        where all voxels are equally dense) and ``density_entropy_bits`` (of the histogram in bins of 5 HU that begin at
        multiples of 5 HU).

    Notes
    -----
    IBSI's intensity-based statistics and intensity histogram entropy (Zwanenburg A et al. Radiology 2020;295:328-338),
    with one difference: a voxel counts with its volume, so that where gaps differ a slice has the weight that it has in
    planimetry. Percentiles are values that occur.
    """
    hu = volume.hu[hematoma].astype(np.float64)
    weights = volume.slice_extents[np.nonzero(hematoma)[0]]
    mean = float(np.average(hu, weights=weights))
    second, third, fourth = (float(np.average((hu - mean) ** power, weights=weights)) for power in (2, 3, 4))
    # A mean of equal values may differ from them by rounding.
    even = hu.min() == hu.max()
    low, median, high = np.quantile(hu, (0.1, 0.5, 0.9), weights=weights, method="inverted_cdf").tolist()
    return {
        "density_mean_hu": mean,
        "density_sd_hu": 0.0 if even else second**0.5,
        "density_p10_hu": low,
        "density_median_hu": median,
        "density_p90_hu": high,
        "density_skewness": 0.0 if even else third / second**1.5,
        "density_kurtosis": 0.0 if even else fourth / second**2 - 3,
        "density_entropy_bits": _entropy(hu, weights),
    }


def _entropy(hu: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> float:
    bins = np.unique(np.floor(hu / _BIN_HU), return_inverse=True)[1]
    shares = np.bincount(bins, weights=weights) / weights.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0
