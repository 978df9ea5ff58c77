"""The SGD step, compared with a calculation by hand, and the learning rate over the epochs."""

import numpy as np
import pytest

from mnist_nn import SGD, Config, Network
from mnist_nn.chapter.backprop import Gradient
from mnist_nn.training.schedule import learning_rate


def one_weight(w: float, b: float, dC_dw: float, dC_db: float) -> tuple[Network, Gradient]:
    network = Network([1, 1], dtype=np.float64)
    network.w[1][:], network.b[1][:] = w, b
    gradient = Gradient(network)
    gradient.dC_dw[1][:], gradient.dC_db[1][:] = dC_dw, dC_db
    return network, gradient


def test_a_plain_step_subtracts_the_scaled_gradient() -> None:
    """The gradient itself stays unchanged."""
    network, gradient = one_weight(1.0, -1.0, 0.05, -0.025)
    sgd = SGD()
    sgd.step(network, gradient, sgd.new_velocity(network), 0.5)
    np.testing.assert_allclose(network.parameters, [1.0 - 0.05, -1.0 + 0.025], rtol=1e-15)
    np.testing.assert_array_equal(gradient.vector, [0.05, -0.025])


def test_momentum_adds_a_share_of_the_previous_step() -> None:
    network, gradient = one_weight(1.0, 0.0, 0.1, 0.0)
    sgd = SGD(momentum=0.5)
    velocity = sgd.new_velocity(network)
    sgd.step(network, gradient, velocity, 0.5)  # v = 0.1
    sgd.step(network, gradient, velocity, 0.5)  # v = 0.15
    assert network.w[1][0, 0] == pytest.approx(1 - 0.1 - 0.15, rel=1e-15)


def test_l2_shrinks_the_weights_but_not_the_biases() -> None:
    network, gradient = one_weight(2.0, 3.0, 0.5, -0.5)
    sgd = SGD(l2=0.2)
    sgd.step(network, gradient, sgd.new_velocity(network), 0.5)  # η ∂C/∂w = 0.5, η l2 w = 0.5 · 0.2 · 2
    np.testing.assert_allclose(network.parameters, [2.0 - 0.5 - 0.5 * 0.2 * 2.0, 3.0 + 0.5], rtol=1e-15)


def test_three_steps_equal_pytorchs_sgd(random: np.random.Generator) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    network = Network([4, 3], dtype=np.float64)
    network.parameters[:] = random.normal(size=network.parameters.size)
    w = torch.from_numpy(network.w[1].copy()).requires_grad_()
    b = torch.from_numpy(network.b[1].copy()).requires_grad_()
    eta, l2 = 0.3, 0.01
    theirs = torch.optim.SGD(
        [{"params": [w], "weight_decay": l2}, {"params": [b], "weight_decay": 0.0}], lr=eta, momentum=0.9
    )
    ours = SGD(momentum=0.9, l2=l2)
    velocity = ours.new_velocity(network)
    for _ in range(3):
        gradient = Gradient(network)
        gradient.vector[:] = random.normal(size=gradient.vector.size)
        w.grad, b.grad = (torch.from_numpy(g[1].copy()) for g in (gradient.dC_dw, gradient.dC_db))
        theirs.step()
        gradient.vector *= eta
        ours.step(network, gradient, velocity, eta)
    np.testing.assert_allclose(network.w[1], w.detach().numpy(), rtol=1e-14)
    np.testing.assert_allclose(network.b[1], b.detach().numpy(), rtol=1e-14)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [2.0, 2.0, 2.0, 2.0]),
        ("cosine", [2.0, 2 * (0.5 + 0.5**1.5), 1.0, 2 * (0.5 - 0.5**1.5)]),
        ({"name": "step", "every": 2, "factor": 0.5}, [2.0, 2.0, 1.0, 1.0]),
    ],
)
def test_each_schedule_gives_the_expected_learning_rates(schedule: object, expected: list[float]) -> None:
    values = {"training": {"epochs": 4, "learning_rate": 2.0, "schedule": schedule}}
    settings = Config.model_validate(values).training
    np.testing.assert_allclose([learning_rate(epoch, settings) for epoch in range(4)], expected, rtol=1e-12)


def test_warm_up_raises_the_learning_rate_in_equal_steps() -> None:
    """The factor multiplies the schedule's learning rate and rises to 1."""
    values = {"training": {"epochs": 6, "learning_rate": 2.0, "schedule": "constant", "warmup": 3}}
    settings = Config.model_validate(values).training
    rates = [learning_rate(epoch, settings) for epoch in range(6)]
    np.testing.assert_allclose(rates, [0.5, 1.0, 1.5, 2.0, 2.0, 2.0], rtol=1e-12)
    cosine = settings.model_copy(update={"schedule": "cosine"})
    plain = cosine.model_copy(update={"warmup": 0})
    np.testing.assert_allclose(
        [learning_rate(epoch, cosine) / learning_rate(epoch, plain) for epoch in range(6)],
        [0.25, 0.5, 0.75, 1, 1, 1],
        rtol=1e-12,
    )
