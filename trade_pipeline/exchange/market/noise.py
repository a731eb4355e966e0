"""Uniform numbers that depend on (key, minute, lane) alone: the same from any batch, in any order, at any time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

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


def uniforms(key: np.uint64 | npt.NDArray[np.uint64], minutes: Ints, lanes: int | Sequence[int]) -> Floats:
    """Shape (lanes, len(minutes)), each in [0, 1). Finaliser of SplitMix64 (Steele, Lea, Flood 2014).

    `lanes` are the first ones, or those with these numbers (from 0); `key` is one of all minutes or one of each.
    """
    numbers = np.arange(lanes) if isinstance(lanes, int) else np.asarray(lanes)
    with np.errstate(over="ignore"):
        x = ((numbers.astype(np.uint64) + np.uint64(1)) * _LANE)[:, None] + (key + minutes.astype(np.uint64) * _MINUTE)
        # In place: what is mixed is large, and memory costs more than arithmetic.
        shifted = x >> np.uint64(30)
        for factor, shift in ((_MIX_1, np.uint64(27)), (_MIX_2, np.uint64(31))):
            x ^= shifted
            x *= factor
            np.right_shift(x, shift, out=shifted)
        x ^= shifted
    x >>= np.uint64(11)
    found: Floats = np.multiply(x.view(np.int64), 2.0**-53, out=shifted.view(np.float64))
    return found
