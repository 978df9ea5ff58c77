"""The matrix product of the chapter's sums, added to what an array holds: into ← plus · into + times · a b.

With `plus` a step goes downhill while the gradient is summed: w ← 1 · w − η/m · ∂C/∂z aᵀ is one product, and no ∂C/∂w
is stored. NumPy's products cannot add, SciPy's BLAS can. All arrays are stored column by column (Fortran's order), in
which w is stored as wᵀ. So each matrix is named together with how it is stored: N as it is, T as its transpose.
"""

import ctypes
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cython_blas  # type: ignore[import-untyped]

Array = NDArray[Any]

N, T = 0, 1

LARGE = 10_000_000  # multiplications. SciPy's own call is the quicker one, but no other Python thread runs meanwhile

_QUICK = {4: blas.sgemm, 8: blas.dgemm}  # by the bytes of a number


def product(a: Array, a_is: int, b: Array, b_is: int, into: Array, times: float = 1.0, plus: float = 0.0) -> None:
    """into ← plus · into + times · a b, in place, where a is N or T, and so is b.

    For example `product(w.T, T, a_prev, N, z)` is z = w a. With `plus` 0 it does not matter what `into` held. Raises
    ValueError where `into` is not stored column by column.
    """
    if a.size * into.shape[1] < LARGE:
        if _QUICK[into.itemsize](times, a, b, plus, into, a_is, b_is, 1) is not into:
            raise ValueError("the array of a product must be stored column by column")
    else:
        _large_product(a, a_is, b, b_is, into, times, plus)


def _large_product(a: Array, a_is: int, b: Array, b_is: int, into: Array, times: float, plus: float) -> None:
    """The same, by the same BLAS, while other Python threads run."""
    if not into.flags.f_contiguous:
        raise ValueError("the array of a product must be stored column by column")
    a, b = (np.asarray(array, into.dtype, order="F") for array in (a, b))
    number = ctypes.c_float if into.itemsize == 4 else ctypes.c_double
    (n, m), k = into.shape, a.shape[1 - a_is]
    n_, m_, k_, rows_a, rows_b, rows = (_reference(ctypes.c_int, size) for size in (n, m, k, len(a), len(b), n))
    a_is_, b_is_ = (_reference(ctypes.c_char, b"NT"[way : way + 1]) for way in (a_is, b_is))
    times_, plus_ = (_reference(number, factor) for factor in (times, plus))
    _gemm(into.itemsize)(
        a_is_, b_is_, n_, m_, k_, times_, a.ctypes.data, rows_a, b.ctypes.data, rows_b, plus_, into.ctypes.data, rows
    )


@lru_cache(1000)
def _reference(kind: Any, value: float | bytes) -> Any:
    """The address of a C number or letter."""
    return ctypes.byref(kind(value))


@cache
def _gemm(itemsize: int) -> Any:
    """BLAS's general matrix product for numbers of so many bytes. All arguments are addresses."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(gemm_address(itemsize))


def gemm_address(itemsize: int) -> int:
    """Where BLAS's general matrix product lies in memory (see SciPy's `cython_blas`)."""
    capsule = cython_blas.__pyx_capi__["sgemm" if itemsize == 4 else "dgemm"]
    name, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name.restype, name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, name(capsule)))
