"""Activations and costs: their values, and their derivatives compared with slopes."""

import numpy as np
import pytest

from mnist_nn.chapter.activation import ACTIVATIONS
from mnist_nn.chapter.cost import COSTS


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_sigma_prime_is_the_slope_of_sigma(name: str) -> None:
    sigma, sigma_prime = ACTIVATIONS[name].sigma, ACTIVATIONS[name].sigma_prime
    z = np.array([-3.0, -1.2, -0.1, 0.2, 0.7, 2.5])
    h = 1e-6
    slope = (sigma(z + h, np.empty(6)) - sigma(z - h, np.empty(6))) / (2 * h)
    a = sigma(z, np.empty(6))
    np.testing.assert_allclose(sigma_prime(a, np.empty(6)), slope, atol=1e-9)


@pytest.mark.parametrize("name", COSTS)
def test_dC_da_is_the_slope_of_C(name: str) -> None:
    cost = COSTS[name]
    a, y = np.array([[0.2, 0.9], [0.6, 0.1]]), np.array([[0.0, 1.0], [1.0, 0.0]])

    def C(a: np.ndarray) -> np.ndarray:
        return cost.per_example(np.log(a / (1 - a)), a, y)

    slope, h = np.empty_like(a), 1e-6
    for j in range(2):
        nudge = np.zeros_like(a)
        nudge[j] = h
        slope[j] = (C(a + nudge) - C(a - nudge)) / (2 * h)
    np.testing.assert_allclose(cost.dC_da(a, y, np.empty_like(a)), slope, rtol=1e-8)


def test_relu_and_its_derivative_handle_zero_infinity_and_nan() -> None:
    relu = ACTIVATIONS["relu"]
    z = np.array([-np.inf, -1.0, -0.0, 0.0, 5e-324, 1.0, np.inf])
    a = relu.sigma(z, np.empty(7))
    np.testing.assert_array_equal(a, [0, 0, 0, 0, 5e-324, 1, np.inf])
    np.testing.assert_array_equal(relu.sigma_prime(a, np.empty(7)), [0, 0, 0, 0, 1, 1, 1])
    assert np.isnan(relu.sigma(np.array([np.nan]), np.empty(1)))  # so that divergence becomes visible


def test_sigmoid_gives_known_values() -> None:
    a = ACTIVATIONS["sigmoid"].sigma(np.array([0.0, np.log(3.0)]), np.empty(2))
    np.testing.assert_allclose(a, [0.5, 0.75], rtol=1e-15)
    np.testing.assert_allclose(ACTIVATIONS["sigmoid"].sigma_prime(a, np.empty(2)), [0.25, 0.1875], rtol=1e-15)


def test_squared_error_has_no_factor_one_half() -> None:
    a, y = np.array([[0.5], [0.25]]), np.array([[1.0], [0.0]])
    z = np.log(a / (1 - a))
    assert COSTS["squared_error"].per_example(z, a, y) == pytest.approx([0.5**2 + 0.25**2])
    np.testing.assert_allclose(COSTS["squared_error"].dC_da(a, y, np.empty_like(a)), [[-1.0], [0.5]])


def test_a_saturated_sigmoid_is_exactly_0_or_1() -> None:
    """It is never NaN, although e⁻ᶻ overflows."""
    z = np.array([-1e4, -200.0, 200.0, 1e4], np.float32)
    with np.errstate(over="ignore"):
        a = ACTIVATIONS["sigmoid"].sigma(z, np.empty_like(z))
    np.testing.assert_array_equal(a, [0, 0, 1, 1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_confident_outputs_is_exact(dtype: type) -> None:
    z = np.array([[-1000.0, -40.0, -17.0, 0.0, 17.0, 40.0, 1000.0]], dtype)
    cost, a = COSTS["cross_entropy"].per_example, 1 / (1 + np.exp(-np.clip(z, -80, 80)))
    wrong_of_0 = cost(z, a, np.zeros_like(z))  # −ln(1 − σ(z)) = ln(1 + e^z)
    expected = [0.0, np.exp(-40.0), np.exp(-17.0), np.log(2.0), 17 + np.exp(-17.0), 40.0, 1000.0]
    np.testing.assert_allclose(wrong_of_0, expected, rtol=2e-7)
    np.testing.assert_allclose(cost(-z, 1 - a, np.ones_like(z)), expected, rtol=2e-7)


def test_cross_entropy_keeps_its_gradient_at_a_saturated_wrong_output() -> None:
    cost = COSTS["cross_entropy"]
    a, y = np.array([[1.0], [0.0]], np.float32), np.array([[0.0], [1.0]], np.float32)
    assert np.isfinite(cost.dC_da(a, y, np.empty_like(a))).all()
    assert cost.dC_dz is not None
    np.testing.assert_array_equal(cost.dC_dz(a, y, np.empty_like(a)), [[1], [-1]])


def test_every_cost_equals_its_textbook_formula() -> None:
    """Every cost takes the same arguments: z, a and y."""
    z, y = np.array([[0.2, -1.0], [-0.7, 2.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    a = 1 / (1 + np.exp(-z))
    textbook = {
        "squared_error": ((a - y) ** 2).sum(axis=0),
        "cross_entropy": -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=0),
    }
    assert set(textbook) == set(COSTS)
    for name, expected in textbook.items():
        np.testing.assert_allclose(COSTS[name].per_example(z, a, y), expected, rtol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_sigma_undoes_its_inverse(name: str) -> None:
    activation = ACTIVATIONS[name]
    for a in (0.1, 0.5, 0.9):
        z = np.array([activation.inverse(a)])
        assert activation.sigma(z, np.empty(1))[0] == pytest.approx(a, rel=1e-12)
