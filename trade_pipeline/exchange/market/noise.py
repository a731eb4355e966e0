"""Uniform numbers that depend on (key, minute, lane) alone: the same from any batch, in any order, at any time."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MINUTE = np.uint64(0x9E3779B97F4A7C15)
_LANE = np.uint64(0xD1B54A32D192ED03)


def key_of(*parts: object) -> np.uint64:
    """A 64-bit key of a seed, a symbol, a purpose."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "big"))


def uniforms(key: np.uint64, minutes: Ints, lanes: int) -> Floats:
    """Shape (len(minutes), lanes), each in [0, 1). Finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        x = key + minutes.astype(np.uint64)[:, None] * _MINUTE + np.arange(1, lanes + 1, dtype=np.uint64) * _LANE
        x = (x ^ (x >> np.uint64(30))) * _MIX_1
        x = (x ^ (x >> np.uint64(27))) * _MIX_2
        x ^= x >> np.uint64(31)
    return np.asarray((x >> np.uint64(11)).astype(np.float64) * 2.0**-53)
