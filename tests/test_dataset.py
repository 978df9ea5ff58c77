"""Examples reach the network as columns, each once, in the requested order."""

import numpy as np
import pytest

from mnist_nn import Examples
from mnist_nn.examples import dataset as dataset_module
from mnist_nn.examples.dataset import Batches


@pytest.mark.parametrize("chunk", [1, 3 * 12, 1_000_000])
@pytest.mark.parametrize(("count", "m"), [(10, 5), (11, 4), (3, 7), (1, 1)])
def test_batches_hold_the_requested_rows_at_every_chunk_size(
    chunk: int, count: int, m: int, random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk is the number of pixels that are gathered at a time."""
    monkeypatch.setattr(dataset_module, "CHUNK", chunk)
    pixels = random.integers(0, 256, (20, 3, 4), dtype=np.uint8)
    examples = Examples.from_labels(pixels, random.integers(0, 10, 20, dtype=np.uint8), 10)
    rows = random.permutation(20)[:count]
    batches = [(x.copy(), y.copy()) for x, y in Batches(examples, m, np.float64).batches(rows)]
    assert [x.shape[1] for x, _ in batches] == [m] * (count // m) + [count % m] * (count % m > 0)
    np.testing.assert_allclose(np.hstack([x for x, _ in batches]).T, examples.inputs[rows] / 255, rtol=1e-15)
    np.testing.assert_array_equal(np.hstack([y for _, y in batches]).T, examples.targets[rows])


def test_inputs_other_than_pixels_are_used_unchanged() -> None:
    examples = Examples(np.array([[0.25, -3.0]]), np.array([[0.5]]))
    ((x, y),) = Batches(examples, 4, np.float32).batches(np.array([0]))
    np.testing.assert_array_equal(x, [[0.25], [-3.0]])
    np.testing.assert_array_equal(y, [[0.5]])
