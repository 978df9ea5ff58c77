"""Random generators derived from (seed, purpose, epoch), so that no hidden state influences a result."""

import hashlib
from typing import Literal

import numpy as np

Purpose = Literal["initialization", "shuffle", "sample", "check", "augmentation"]


def stream(seed: int, purpose: Purpose, epoch: int = 0) -> np.random.Generator:
    """A random generator for one purpose and one epoch. Equal arguments give equal random numbers."""
    name = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8])
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, name, epoch])))
