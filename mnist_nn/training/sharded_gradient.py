"""The gradient of a batch that is cut into shards, whose sum does not depend on who computes them.

Each of S shards has examples of its own and gives their part of the average,

    (1/m) Σ_k ∂C_k       over the k of this shard, m the size of the whole batch,

and the S parts are added in the order of `tree_sum`. With one shard this is the chapter's ∇C, in one piece.
"""

from ..chapter.backprop import BackwardPass, Gradient, backprop
from ..chapter.cost import Cost
from ..chapter.network import ForwardPass, Network, forward
from ..examples.dataset import Batches, Examples, Labels
from ..examples.shuffling import cut
from .tree_sum import add_neighbours
from .workers import Workers

BLOCK = 131_072  # parameters that one thread adds at a time: few enough to stay in the processor's cache


class ShardedGradient:
    """The gradient of batches of up to m examples, computed in S shards by the workers."""

    def __init__(self, network: Network, cost: Cost, training: Examples, m: int, shards: int, workers: Workers) -> None:
        """`training` gives the shapes of the examples. The number of processes must divide the number of shards."""
        own = shards // workers.processes
        self._first, self._S, self._workers = workers.rank * own, shards, workers
        self._shards = [_Shard(network, cost, training, -(-m // shards)) for _ in range(own)]
        n = network.parameters.size
        self.blocks = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
        self.value = self._shards[0].gradient
        self._vectors = [shard.gradient.vector for shard in self._shards]

    def backprop(self, examples: Examples, rows: Labels, m: int, scale: float) -> None:
        """Compute the parts of this process's shards, for a batch of m examples. `rows` are its rows of the batch."""
        start = cut(m, self._first, self._S).start

        def compute(s: int) -> None:
            own = cut(m, self._first + s, self._S)
            self._shards[s].backprop(examples, rows[own.start - start : own.stop - start], m, scale)

        self._workers.run(compute, range(len(self._shards)))

    def add_shards(self, block: slice) -> None:
        """Add this block of the parts of this process's shards, into `value`."""
        add_neighbours(self._vectors, block)

    def __call__(self, examples: Examples, rows: Labels, m: int, scale: float = 1.0) -> Gradient:
        """scale · ∇C of a batch of m examples, the same on every process. The next call overwrites it."""
        self.backprop(examples, rows, m, scale)
        self._workers.run(self.add_shards, self.blocks)
        self._workers.add(self.value.vector)
        return self.value


class _Shard:
    """One part of every batch: its gradient, and the buffers for up to m examples."""

    def __init__(self, network: Network, cost: Cost, training: Examples, m: int) -> None:
        self._network, self._cost = network, cost
        self._batches = Batches(training[:m], m, network.parameters.dtype)
        self._buffers: dict[int, tuple[ForwardPass, BackwardPass]] = {}
        self.gradient = Gradient(network)

    def backprop(self, examples: Examples, rows: Labels, m: int, scale: float) -> None:
        """scale · (1/m) Σ_k ∂C_k over these rows of the examples, into `gradient`. Without any rows it is zero."""
        n = len(rows)
        if not n:
            self.gradient.vector.fill(0)
            return
        if n not in self._buffers:
            network = self._network
            self._buffers[n] = ForwardPass.empty(network, n), BackwardPass.empty(network, n, self.gradient)
        forward_pass, backward_pass = self._buffers[n]
        self._batches.examples = examples
        ((x, y),) = self._batches.batches(rows)
        forward(self._network, x, out=forward_pass)
        backprop(self._network, self._cost, forward_pass, y, out=backward_pass, scale=scale * (n / m))
