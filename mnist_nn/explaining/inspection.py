"""Split one derivative into the chapter's factors, and summarize each layer's gradient.

Everything is computed in float64, from one forward and one backward pass over the chosen examples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..chapter.activation import Array
from ..chapter.backprop import BackwardPass, Gradient, backprop
from ..chapter.cost import Cost
from ..chapter.network import ForwardPass, Network, forward
from ..errors import InspectionError
from ..examples.dataset import Examples, classify, columns
from .parameter import Parameter

NUDGE = 0.01  # the chapter's "tiny nudge, like a change by 0.01"
SATURATED = 0.01  # a neuron with a smaller σ′(z) hardly learns from the example
EQUAL = 1e-4  # relative difference of weights that count as equal: rounding in float32, grown over some epochs


@dataclass(frozen=True)
class LayerSummary:
    """A summary of one layer's gradient, averaged over the batch.

    `largest` is (j, k, ∂C/∂w_jk) of the weight with the largest |∂C/∂w_jk|. `mean_sigma_prime` is the mean of σ′(z)
    over all neurons and examples. `saturated` is the share of these σ′(z) that are below SATURATED. `step_ratio` is the
    length of a plain step η ∂C/∂w, without momentum and L2, divided by the length of w (None where w is all 0).
    `dC_dz_rms` is the root mean square of ∂C_i/∂z over all neurons and examples i. If it shrinks from layer to layer on
    the way back, the gradient vanishes. `dead` is the share of neurons with σ′(z) = 0 for every example. `is_symmetric`
    tells whether all neurons of a hidden layer have the same incoming and outgoing weights.
    """

    layer: int
    weights: int
    dC_dw_norm: float
    dC_db_norm: float
    largest: tuple[int, int, float]
    mean_sigma_prime: float
    saturated: float
    step_ratio: float | None
    dC_dz_rms: float
    neurons: int
    dead: float
    is_symmetric: bool


@dataclass(frozen=True)
class Nudge:
    """What a small change of one parameter does to z, a and C of one example."""

    parameter: float
    dz: float
    da: float
    dC: float


@dataclass(frozen=True)
class Derivative:
    """∂C_i/∂w_jk^(l), or ∂C_i/∂b_j^(l), as the product of the chapter's three factors.

        ∂C_i/∂w_jk = ∂z_j/∂w_jk · ∂a_j/∂z_j · ∂C_i/∂a_j        for example i = `example` alone

    `dz` is ∂z_j/∂w_jk = a_k^(l−1), or ∂z_j/∂b_j = 1. `y` is None below the output layer. `dC_dz` is the product of the
    last two factors, exact also where σ′ cancels (see `Cost.dC_dz`). `answer` is the class that the network assigns to
    the example. `per_example` has ∂C_i/∂w_jk of every chosen example, and `mean` is their average, ∂C/∂w_jk.
    """

    parameter: Parameter
    value: float
    example: int
    label: int
    answer: int
    z: float
    a: float
    y: float | None
    C: float
    dz: float
    da_dz: float
    dC_da: float
    dC_dz: float
    nudge: Nudge
    mean: float
    per_example: list[float]

    @property
    def a_prev(self) -> float | None:
        """a_k^(l−1), which is ∂z_j/∂w_jk; None for a bias."""
        return None if self.parameter.k is None else self.dz

    @property
    def product(self) -> float:
        """∂C_i/∂w_jk, or ∂C_i/∂b_j: the three factors multiplied."""
        return self.dz * self.dC_dz


@dataclass(frozen=True)
class Path:
    """One way from neuron k of layer l−1 through neuron j of layer l to the cost."""

    j: int
    w: float
    da_dz: float
    dC_da: float
    dC_dz: float

    @property
    def product(self) -> float:
        """This path's part of ∂C_i/∂a_k: w_jk ∂C_i/∂z_j."""
        return self.w * self.dC_dz


@dataclass(frozen=True)
class Paths:
    """∂C_i/∂a_k of one neuron below the last layer: Σ_j w_jk σ′(z_j) ∂C_i/∂a_j over the neurons j of the layer above.

    `through` is the neuron j through which a route continues (see `Inspection.route`). `backprop` is the same
    derivative, computed by the backward pass. For the input layer it is None.
    """

    layer: int
    neuron: int
    example: int
    terms: list[Path]
    through: int
    backprop: float | None

    @property
    def sum(self) -> float:
        """∂C_i/∂a_k: all paths added up."""
        return sum(term.product for term in self.terms)


class Inspection:
    """A forward and a backward pass over chosen examples, from which every derivative can be explained.

    `indices` are the positions of the examples in their split; the results name examples by them. `C` has C_i of each
    example i, shape (m,). Raises InspectionError where the cost or its gradient is not finite. Raises ValueError where
    the examples do not fit the network.
    """

    @np.errstate(over="ignore", invalid="ignore")  # infinite and NaN values raise InspectionError below
    def __init__(self, network: Network, cost: Cost, examples: Examples, indices: list[int]) -> None:
        examples.require_fit(network.sizes)
        self.network = network.astype(np.float64)
        self.cost, self.indices, self.labels = cost, indices, examples.labels
        self.x, self.y = columns(examples, np.float64)
        self.passed: ForwardPass = forward(self.network, self.x)
        self.back: BackwardPass = backprop(self.network, cost, self.passed, self.y)
        self.C = cost.per_example(self.passed.z[network.L], self.passed.a[network.L], self.y)
        self.answers = classify(self.passed.a[network.L])
        if not np.isfinite([self.C.sum(), np.square(self.gradient.vector).sum()]).all():
            raise InspectionError(
                "C or ∇C of these examples is infinite or NaN, so there is nothing to take apart; "
                "the weights are too large: train again with a smaller learning rate, or another network.init"
            )

    @property
    def are_classes(self) -> bool:
        """Whether every desired output is 0 or 1, so that labels and answers mean something."""
        return bool(np.isin(self.y, (0, 1)).all())

    @property
    def gradient(self) -> Gradient:
        """∇C, averaged over the examples."""
        return self.back.gradient

    def layers(self, learning_rate: float) -> list[LayerSummary]:
        """A summary of each layer, 1..L."""
        return [self._summary(l, learning_rate) for l in self.network.layers]

    def _summary(self, l: int, learning_rate: float) -> LayerSummary:
        w, dC_dw, da_dz = self.network.w[l], self.gradient.dC_dw[l], self.back.da_dz[l]
        j, k = divmod(int(np.abs(dC_dw).argmax()), dC_dw.shape[1])
        norm, size = float(np.linalg.norm(dC_dw)), float(np.linalg.norm(w))
        return LayerSummary(
            layer=l,
            weights=w.size,
            dC_dw_norm=norm,
            dC_db_norm=float(np.linalg.norm(self.gradient.dC_db[l])),
            largest=(j, k, float(dC_dw[j, k])),
            mean_sigma_prime=float(da_dz.mean()),
            saturated=float((da_dz < SATURATED).mean()),
            step_ratio=learning_rate * norm / size if size else None,
            dC_dz_rms=float(np.sqrt(np.square(self.back.dC_dz[l]).mean())),
            neurons=self.network.sizes[l],
            dead=float((da_dz == 0).all(axis=1).mean()),
            is_symmetric=self._is_symmetric(l),
        )

    def _is_symmetric(self, l: int) -> bool:
        """Whether all neurons of a hidden layer are equal up to rounding: in w, in b, and in the weights above."""
        network = self.network
        if l == network.L or network.sizes[l] == 1:
            return False
        all_parameters = (network.w[l], network.b[l], network.w[l + 1].T)  # one row for each neuron
        return all(np.abs(rows - rows[0]).max() <= EQUAL * np.abs(rows).max() for rows in all_parameters)

    def largest(self) -> Parameter:
        """The weight with the largest |∂C/∂w_jk^(l)|, averaged over the examples."""
        dC_dw = self.gradient.dC_dw
        l = max(self.network.layers, key=lambda l: float(np.abs(dC_dw[l]).max()))
        return Parameter(l, *divmod(int(np.abs(dC_dw[l]).argmax()), dC_dw[l].shape[1]))

    def strongest(self, parameter: Parameter) -> int:
        """The position of the example with the largest |∂C_i/∂w| or |∂C_i/∂b| of a parameter."""
        return int(np.abs(self._per_example(parameter)).argmax())

    def derivative(self, parameter: Parameter, shown: int) -> Derivative:
        """The derivative of C by a parameter, split into its factors for the example at position `shown`."""
        layer, j, k = parameter.layer, parameter.j, parameter.k
        z, a, y = self.passed.z, self.passed.a, self.y
        is_output = layer == self.network.L
        return Derivative(
            parameter=parameter,
            value=parameter.value(self.network),
            example=self.indices[shown],
            label=int(self.labels[shown]),
            answer=int(self.answers[shown]),
            z=float(z[layer][j, shown]),
            a=float(a[layer][j, shown]),
            y=float(y[j, shown]) if is_output else None,
            C=float(self.C[shown]),
            dz=float(a[layer - 1][k, shown]) if k is not None else 1.0,
            da_dz=float(self.back.da_dz[layer][j, shown]),
            dC_da=float(self.dC_da(layer)[j, shown]),
            dC_dz=float(self.back.dC_dz[layer][j, shown]),
            nudge=self._nudge(parameter, shown),
            mean=float(self.gradient.vector[parameter.index(self.network)]),
            per_example=self._per_example(parameter).tolist(),
        )

    def _per_example(self, parameter: Parameter) -> Array:
        """∂C_i/∂w_jk, or ∂C_i/∂b_j, of every example i."""
        dC_dz: Array = self.back.dC_dz[parameter.layer][parameter.j]
        return dC_dz if parameter.k is None else self.passed.a[parameter.layer - 1][parameter.k] * dC_dz

    def paths(self, layer: int, neuron: int, shown: int, through: int | None = None) -> Paths:
        """The sum over paths that gives ∂C_i/∂a of a neuron below the last layer (layer 0 is the input).

        `through` is the neuron of the layer above where a route continues: by default, where the path is strongest.
        """
        above = layer + 1
        w, da_dz = self.network.w[above], self.back.da_dz[above]
        dC_da, dC_dz = self.dC_da(above), self.back.dC_dz[above]
        factors = (w[:, neuron], da_dz[:, shown], dC_da[:, shown], dC_dz[:, shown])
        terms = [Path(j, *map(float, of_path)) for j, of_path in enumerate(zip(*factors, strict=True))]
        backprop = float(self.dC_da(layer)[neuron, shown]) if layer else None
        if through is None:
            through = max(terms, key=lambda path: abs(path.product)).j
        return Paths(layer, neuron, self.indices[shown], terms, through, backprop)

    def route(self, parameter: Parameter, shown: int) -> Iterator[Paths]:
        """The chain from the cost back to the input layer, along one route through a parameter.

        Yields the sum over paths that gives ∂C_i/∂a of each neuron on the route. The parameter's own neuron comes
        first. Then come the layers above, because its ∂C_i/∂a depends on them. The layers below come last. Where the
        parameter does not determine the neuron, the route takes the strongest path upwards and the largest |w|
        downwards.
        """
        layer, j, k = parameter.layer, parameter.j, parameter.k
        route = {layer: j} if k is None else {layer: j, layer - 1: k}
        for l in range(layer, self.network.L):
            yield (paths := self.paths(l, route[l], shown))
            route[l + 1] = paths.through
        for l in range(layer - 1, -1, -1):
            if l not in route:
                route[l] = int(np.abs(self.network.w[l + 1][route[l + 1]]).argmax())
            yield self.paths(l, route[l], shown, through=route[l + 1])

    def dC_da(self, layer: int) -> Array:
        """∂C_i/∂a^(layer) of each example i, also where the backward pass has no need of it."""
        if layer == self.network.L and self.cost.dC_dz is not None:
            return self.cost.dC_da(self.passed.a[layer], self.y, np.empty_like(self.y))
        return self.back.dC_da[layer]

    @np.errstate(over="ignore", invalid="ignore")
    def _nudge(self, parameter: Parameter, shown: int) -> Nudge:
        """The changes of z, a and C when the parameter grows by NUDGE, from another forward pass."""
        layer, j = parameter.layer, parameter.j
        nudged = self.network.astype(np.float64)
        nudged.parameters[parameter.index(nudged)] += NUDGE
        after = forward(nudged, self.x[:, shown : shown + 1])
        C = self.cost.per_example(after.z[nudged.L], after.a[nudged.L], self.y[:, shown : shown + 1])
        return Nudge(
            parameter=NUDGE,
            dz=float(after.z[layer][j, 0] - self.passed.z[layer][j, shown]),
            da=float(after.a[layer][j, 0] - self.passed.a[layer][j, shown]),
            dC=float(C[0] - self.C[shown]),
        )
