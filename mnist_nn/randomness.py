"""Random generators derived from (seed, purpose, epoch, block), so that no hidden state influences a result."""

import hashlib
from functools import cache
from typing import Literal

import numpy as np

Purpose = Literal["initialization", "shuffle", "sample", "check", "augmentation", "trials", "points", "exercise"]


def stream(seed: int, purpose: Purpose, epoch: int = 0, *block: int) -> np.random.Generator:
    """A random generator for one purpose, one epoch and, if given, one block of it. Equal arguments, equal numbers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, _number(purpose), epoch, *block])))


@cache
def _number(purpose: Purpose) -> int:
    return int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8])
