"""The shape of the backbone as plain numbers; a configuration needs these, and no torch."""

from collections.abc import Sequence

DENSENET121_BLOCKS = (6, 12, 24, 16)


def minimum_side(block_config: Sequence[int]) -> int:
    """Return the shortest image axis, in voxels, that leaves one voxel after the last transition.

    The first convolution and the first pooling halve an axis (rounding up), each of the ``len(block_config) - 1``
    transitions halves it again (rounding down).
    """
    after_stem: int = 2 ** (len(block_config) - 1)
    return 4 * (after_stem - 1) + 1
