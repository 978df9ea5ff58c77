"""The matrix product of `product`, by the same BLAS, for code that Numba compiles."""

from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from ..product import gemm_address, product

GEMM = {types.float32: "nn_sgemm", types.float64: "nn_dgemm"}  # BLAS's products, as compiled code calls them
binding.add_symbol("nn_sgemm", gemm_address(4))
binding.add_symbol("nn_dgemm", gemm_address(8))
llvm: Any = cgutils  # Any, because Numba has no types of its own for it


@overload(product)
def _product(a: Any, a_is: Any, b: Any, b_is: Any, into: Any, times: Any = 1.0, plus: Any = 0.0) -> Any:
    """Define `product` for Numba."""

    def compiled(a: Any, a_is: Any, b: Any, b_is: Any, into: Any, times: Any = 1.0, plus: Any = 0.0) -> None:
        n, m = into.shape
        _gemm(a_is, b_is, n, m, a.shape[1 - a_is], times, a, len(a), b, len(b), plus, into, n)  # type: ignore[call-arg]

    return compiled


@intrinsic
def _gemm(
    typing: Any, a_is: Any, b_is: Any, n: Any, m: Any, k: Any, times: Any,
    a: Any, rows_a: Any, b: Any, rows_b: Any, plus: Any, into: Any, rows: Any,
) -> Any:  # fmt: skip
    """Call BLAS's general matrix product with the address of each argument, in this order."""
    number = into.dtype
    integer = types.int32
    wanted = [types.char] * 2 + [integer] * 3 + [number, a, integer, b, integer, number, into, integer]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = ir.IntType(8).as_pointer()

        def passed(value: Any, given: Any, needed: Any) -> Any:
            if isinstance(needed, types.Array):
                return builder.bitcast(context.make_array(given)(context, builder, value).data, address)
            if needed is types.char:
                T, N = (ir.Constant(ir.IntType(8), ord(letter)) for letter in "TN")
                value = builder.select(context.is_true(builder, given, value), T, N)
            else:
                value = context.cast(builder, value, given, needed)
            return builder.bitcast(llvm.alloca_once_value(builder, value), address)

        type_of_gemm = ir.FunctionType(ir.VoidType(), [address] * 13)
        gemm = llvm.get_or_insert_function(builder.module, type_of_gemm, GEMM[number])
        builder.call(gemm, list(map(passed, arguments, signature.args, wanted)))
        return context.get_dummy_value()

    arguments = (a_is, b_is, n, m, k, times, a, rows_a, b, rows_b, plus, into, rows)
    return types.void(*arguments), generate
