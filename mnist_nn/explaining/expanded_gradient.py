"""The gradient ∇C_i of a tiny network: every entry with every factor, as you would work it out by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .inspection import Inspection
from .parameter import Parameter


@dataclass(frozen=True)
class Factor:
    """One factor of an entry of ∇C_i.

    By `kind` its value is

        a        a_index^(layer)
        1        1, which is ∂z/∂b
        da_dz    σ′(z_index^(layer))
        w        w^(layer) from neuron `index` of layer − 1 to the only neuron of the layer
        dC_da    ∂C_i/∂a_index^(layer)
        dC_dz    ∂C_i/∂z_index^(layer), where σ′ cancels
    """

    kind: Literal["a", "1", "da_dz", "w", "dC_da", "dC_dz"]
    layer: int
    index: int
    value: float


@dataclass(frozen=True)
class Entry:
    """One entry of ∇C_i for one example i: the product of its factors. `mean` is the entry of ∇C, over all examples."""

    parameter: Parameter
    factors: list[Factor]
    product: float
    mean: float


def expanded_gradient(inspection: Inspection, shown: int) -> Iterator[Entry]:
    """Yield every entry of ∇C_i for the example at position `shown`, in the order of the gradient's vector.

    The factors lead from the parameter up to the cost, or to the first ∂C_i/∂a that is a sum over several paths.
    """
    for index, mean in enumerate(inspection.gradient.vector):
        parameter = Parameter.at(inspection.network, index)
        layer, j, k = parameter.layer, parameter.j, parameter.k
        a = inspection.passed.a[layer - 1]
        first = Factor("1", layer, j, 1.0) if k is None else Factor("a", layer - 1, k, float(a[k, shown]))
        product = first.value * float(inspection.back.dC_dz[layer][j, shown])
        yield Entry(parameter, [first, *_upwards(inspection, layer, j, shown)], product, float(mean))


def _upwards(inspection: Inspection, l: int, j: int, shown: int) -> Iterator[Factor]:
    """Yield the factors of ∂C_i/∂z_j^(l)."""
    network = inspection.network
    if l == network.L and inspection.cost.dC_dz is not None:
        yield Factor("dC_dz", l, j, float(inspection.back.dC_dz[l][j, shown]))
        return
    yield Factor("da_dz", l, j, float(inspection.back.da_dz[l][j, shown]))
    if l < network.L and network.sizes[l + 1] == 1:
        yield Factor("w", l + 1, j, float(network.w[l + 1][0, j]))
        yield from _upwards(inspection, l + 1, 0, shown)
    else:
        yield Factor("dC_da", l, j, float(inspection.dC_da(l)[j, shown]))
