"""The matrix product of the chapter's sums, added to what an array holds: into ← plus · into + times · a b.

With `plus` a step goes downhill while the gradient is summed: w ← 1 · w − η/m · ∂C/∂z aᵀ is one product, and no ∂C/∂w
is stored. NumPy's products cannot add, SciPy's BLAS can. BLAS stores matrices column by column (Fortran's order), so
that it sees w as wᵀ. So each matrix is named together with how it is passed: N as it is, T as its transpose.
"""

import ctypes
from functools import cache, lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cython_blas  # type: ignore[import-untyped]

Array = NDArray[Any]

N, T = 0, 1

LARGE = 10_000_000  # multiplications of a product

_QUICK = {4: blas.sgemm, 8: blas.dgemm}  # by the bytes of a number


def order_for(multiplications: int) -> Literal["F", "C"]:
    """How to store the arrays of products: small ones are fastest column by column, large ones row by row."""
    return "F" if multiplications < LARGE else "C"


def product(a: Array, a_is: int, b: Array, b_is: int, into: Array, times: float = 1.0, plus: float = 0.0) -> None:
    """into ← plus · into + times · a b, in place, where a is N or T, and so is b.

    For example `product(w.T, T, a_prev, N, z)` is z = w a. With `plus` 0 it does not matter what `into` held. The
    arrays may be stored in any order; where all are stored column by column a call takes the least time.
    """
    if a.flags.f_contiguous and b.flags.f_contiguous and into.flags.f_contiguous:
        _QUICK[into.itemsize](times, a, b, plus, into, a_is, b_is, 1)
    else:
        _any_product(a, a_is, b, b_is, into, times, plus)


def _any_product(a: Array, a_is: int, b: Array, b_is: int, into: Array, times: float, plus: float) -> None:
    """The same, by the same BLAS, for any order, and while other Python threads run."""
    if not into.flags.f_contiguous:  # intoᵀ ← bᵀ aᵀ
        a, a_is, b, b_is, into = b, 1 - b_is, a, 1 - a_is, into.T
        if not into.flags.f_contiguous:
            raise ValueError("the array of a product must be stored column by column or row by row")
    a, a_is = _by_columns(a, a_is, into)
    b, b_is = _by_columns(b, b_is, into)
    number = ctypes.c_float if into.itemsize == 4 else ctypes.c_double
    (n, m), k = into.shape, a.shape[1 - a_is]
    n_, m_, k_, rows_a, rows_b, rows = (_reference(ctypes.c_int, size) for size in (n, m, k, len(a), len(b), n))
    a_is_, b_is_ = (_reference(ctypes.c_char, b"NT"[way : way + 1]) for way in (a_is, b_is))
    times_, plus_ = (_reference(number, factor) for factor in (times, plus))
    _gemm(into.itemsize)(
        a_is_, b_is_, n_, m_, k_, times_, a.ctypes.data, rows_a, b.ctypes.data, rows_b, plus_, into.ctypes.data, rows
    )


def _by_columns(array: Array, way: int, into: Array) -> tuple[Array, int]:
    """The matrix stored column by column, in the precision of `into`, and how it is then passed."""
    if not array.flags.f_contiguous:
        array, way = array.T, 1 - way
    return np.asarray(array, into.dtype, order="F"), way


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
