"""Random numbers that depend on where the run is, not on how it came there."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, arm: str, fold: str, epoch: int) -> Iterator[torch.Generator]:
    """Give a generator for one epoch and seed torch's own while the block lasts (epoch 0: the first weights)."""
    digest = hashlib.sha256(f"{seed}/{arm}/{fold}/{epoch}".encode()).digest()
    number = int.from_bytes(digest[:7], "big")
    with torch.random.fork_rng():
        torch.manual_seed(number)
        yield torch.Generator().manual_seed(number)
