"""The page's gradient descent: its steps are Python's, can be taken back, and are drawn as they go."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from browsing import SIZES, OpenPage, write_page
from conftest import Command

from data_scripts.idx import read_split
from mnist_nn import COSTS, SGD, Network, backprop, forward, initial_state, load_checkpoint
from mnist_nn.chapter.activation import ACTIVATIONS, Array

if True:
    from playwright.sync_api import Browser

ENGINE = ["network", "example", "descent", "motion"]  # the modules that move the network


def engine() -> str:
    """The code of the modules that move the network, as one module."""
    from nn_cli.inspecting.page_file import inlined

    page = files("nn_cli.inspecting") / "page"
    code = [inlined((page / f"{name}.js").read_text(encoding="utf-8")) for name in ENGINE]
    return "\n".join([*code, "export { Network, Example, Motion };"])


def descend(network: Network, x: Array, y: Array, cost: str, rate: float, steps: int) -> list[float]:
    """Take the steps in Python. Returns the average cost before each, and after the last."""
    costs = []
    for step in range(steps + 1):
        passed = forward(network, x)
        costs.append(float(COSTS[cost].per_example(passed.z[network.L], passed.a[network.L], y).mean()))
        if step < steps:
            gradient = backprop(network, COSTS[cost], passed, y, scale=rate).gradient
            SGD().step(network, gradient, np.zeros(0), rate)
    return costs


def test_steps_move_all_parameters_as_in_python(browser: "Browser", random: np.random.Generator) -> None:
    """This holds for 1 and for 100 steps, and for every combination of activations and cost."""
    cases = [
        (hidden, output, cost)
        for hidden in ACTIVATIONS
        for output in ACTIVATIONS
        for cost in COSTS
        if COSTS[cost].output in (None, output)
    ]
    start = random.normal(0, 0.4, Network([4, 3, 3, 2]).parameters.size)
    x, y = random.normal(0, 1, (4, 6)), random.random((2, 6))
    x[0, :3] = 0  # the page leaves out inputs that are 0
    run = """async ([code, cases, parameters, xs, ys, rate]) => {
        const page = await import("data:text/javascript," + encodeURIComponent(code));
        return cases.map(([hidden, output, cost]) => {
            const network = new page.Network([4, 3, 3, 2], hidden, output, cost, Float64Array.from(parameters));
            const examples = xs.map((x, n) => new page.Example(network,
                { n, index: n, pixels: null, x: Float64Array.from(x), y: Float64Array.from(ys[n]) }));
            const moments = [{ key: "trained", step: null, parameters: () => Float64Array.from(parameters) }];
            const motion = new page.Motion({ network, examples, heldOut: [], learningRate: rate, moments });
            const states = [];
            for (let step = 1; step <= 100; step++) {
                for (const _ of motion.step(examples, step > 1)) void _;
                if (step === 1 || step === 100) states.push(Array.from(network.parameters));
            }
            const { C, after, n } = motion.change;
            while (motion.kept.length) motion.back();
            return { states, C, after, n, home: Array.from(network.parameters) };
        });
    }"""
    tab = browser.new_page()
    answers = tab.evaluate(run, [engine(), cases, start.tolist(), x.T.tolist(), y.T.tolist(), 0.05])
    tab.close()
    for (hidden, output, cost), answer in zip(cases, answers, strict=True):
        network = Network([4, 3, 3, 2], activation=hidden, output=output, dtype=np.float64)
        network.parameters[:] = start
        costs = descend(network, x, y, cost, 0.05, 1)
        np.testing.assert_allclose(answer["states"][0], network.parameters, rtol=1e-12, atol=1e-12)
        costs += descend(network, x, y, cost, 0.05, 99)[1:]
        np.testing.assert_allclose(
            answer["states"][1], network.parameters, rtol=1e-12, atol=1e-12, err_msg=f"{hidden} {output} {cost}"
        )
        assert (answer["C"], answer["after"]) == pytest.approx((costs[0], costs[-1]), rel=1e-12)
        assert answer["n"] == 100
        assert answer["home"] == start.tolist()
