"""The text of `nn inspect-gradients` fits the terminal, is correct, and needs neither colour nor Unicode."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from nn_cli.inspecting.histogram import histogram
from nn_cli.terminal import ASCII, Terminal


@pytest.fixture
def run(nn: Command, small: Path) -> Path:
    options = ["--set", "network.sizes=[784, 12, 8, 10]", "--set", "training.gradient_norms=true"]
    assert (
        nn("train", small, *options, "--set", "network.init=glorot_uniform", "--run-dir", "runs/one", "--quiet").code
        == 0
    )
    return Path("runs/one")


@pytest.fixture
def at_width(nn: Command, run: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def text(width: int, *options: object) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        outcome = nn("inspect-gradients", run, *options)
        assert outcome.code == 0, outcome.err
        return outcome.out

    return text


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize(
    "place", [(), ("--weight", "3,4,7"), ("--weight", "1,3,400", "--depth", "3"), ("--bias", "2,5")], ids=" ".join
)
def test_no_line_is_wider_than_the_terminal(width: int, place: tuple[str, ...], at_width: Callable[..., str]) -> None:
    text = at_width(width, *place, "--check", "--batch", "40")
    assert max(map(len, text.splitlines())) <= width


def test_the_numbers_are_the_same_at_every_width(at_width: Callable[..., str]) -> None:
    def numbers(width: int) -> set[str]:
        return set(re.findall(r"[+-]\d\.\d{6}|[+-]\d\.\d\de[+-]\d\d", at_width(width, "--weight", "2,5,7", "--check")))

    assert len(numbers(100)) > 40
    assert numbers(60) == numbers(80) == numbers(100)


def test_the_chain_is_drawn_with_values_below(at_width: Callable[..., str]) -> None:
    lines = at_width(100, "--weight", "3,4,7", "--example", "9", "--batch", "40").splitlines()
    at = next(i for i, line in enumerate(lines) if "──w──▶" in line)
    assert lines[at].split() == ["a(2)[7]", "──w──▶", "z(3)[4]", "──σ──▶", "a(3)[4]", "──Σ(a−y)²──▶", "C_9"]
    assert len(lines[at + 1].split()) == 4
    assert re.fullmatch(r" +y\[4\] = [01]", lines[at + 2])


def test_on_a_narrow_terminal_the_chain_is_vertical(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    wide = "network: {sizes: [784, 1200, 1100, 10]}\ndata: {source: synthetic, validation: 100}\n"
    Path("wide.yaml").write_text(wide)
    out = nn("inspect-gradients", "wide.yaml", "--init", "--weight", "2,1099,1199", "--batch", "2").out
    assert re.search(r"  a\(1\)\[1199\] \S+\n  │ w\n  ▼\n  z\(2\)\[1099\] \S+\n  │ σ\n  ▼\n", out)
    assert max(map(len, out.splitlines())) <= 60


def test_a_wide_table_is_split_repeating_its_first_column() -> None:
    rows = [["key", "a" * 20, "b" * 20, "c" * 20], ["one", "1", "2", "3"]]
    assert Terminal(60).table(rows, "<<<<") == [
        "  key  " + "a" * 20 + "  " + "b" * 20,
        "  one  1" + " " * 21 + "2",
        "  key  " + "c" * 20,
        "  one  3",
    ]


def test_depth_follows_the_chain_in_both_directions(at_width: Callable[..., str]) -> None:
    """It goes up to the cost and back to the input."""
    sums = re.findall(
        r"^∂C_9/∂a\((\d)\)\[(\d+)\] = Σ_j",
        at_width(100, "--weight", "1,3,400", "--example", "9", "--depth", "9"),
        re.MULTILINE,
    )
    assert [layer for layer, _ in sums] == ["1", "2", "0"]
    assert sums[0][1] == "3"
    assert sums[2][1] == "400"
    sums = re.findall(
        r"^∂C_9/∂a\((\d)\)\[(\d+)\] = Σ_j",
        at_width(100, "--weight", "3,4,7", "--example", "9", "--depth", "2"),
        re.MULTILINE,
    )
    assert [layer for layer, _ in sums] == ["2", "1"]
    assert sums[0][1] == "7"


def test_the_chains_whole_gradient_is_printed_factor_by_factor(nn: Command) -> None:
    out = nn("inspect-gradients", "chain", "--init").out
    written = re.findall(
        r"∂C_0/∂([wb])\((\d)\)\[[\d,]+\] = (.*?)\n +=? ?(.*?) = (\S+)$", re.sub(r"\n {4}(?=\S)", " ", out), re.MULTILINE
    )
    assert [(letter, layer) for letter, layer, *_ in written] == [(p, l) for l in "123" for p in "wb"]
    a = [0.6]
    w, b = [None, 1.2, -0.8, 1.5], [None, -0.3, 0.5, -0.7]
    for l in (1, 2, 3):
        a.append(1 / (1 + np.exp(-(w[l] * a[-1] + b[l]))))
    for letter, layer, formula, values, product in written:
        l = int(layer)
        factors = [a[l - 1] if letter == "w" else 1.0, a[l] * (1 - a[l])]
        for above in range(l + 1, 4):
            factors += [w[above], a[above] * (1 - a[above])]
        factors.append(2 * (a[3] - 1))
        assert len(formula.split(" · ")) == len(factors)
        assert [float(value) for value in values.split(" × ")] == pytest.approx(factors, rel=1e-5)
        assert float(product) == pytest.approx(np.prod(factors), abs=1e-6)


def test_a_larger_networks_gradient_is_not_printed_in_full(at_width: Callable[..., str]) -> None:
    assert "all" not in [line.split(" ")[1:2] for line in at_width(100).splitlines() if line.startswith("∇C")]


def test_the_runs_gradient_norms_are_charted(at_width: Callable[..., str], run: Path) -> None:
    rows = [line.split(",") for line in (run / "gradients.csv").read_text().splitlines()[1:]]
    lines = at_width(100).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("‖∂C/∂w‖ from epoch 0 to 3"))
    for l in (1, 2, 3):
        name, number, first, chart, last = lines[at + l].split()
        norms = [float(row[2]) for row in rows if row[1] == str(l)]
        assert (name, number) == ("layer", str(l))
        assert (first, last) == (f"{norms[0]:.1e}", f"{norms[-1]:.1e}")
        assert len(chart) == len(norms) == 4
    everything = "".join(lines[at + l].split()[3] for l in (1, 2, 3))
    assert {"▁", "█"} <= set(everything)  # one scale for all layers


def test_the_histogram_counts_every_example(at_width: Callable[..., str], nn: Command, run: Path) -> None:
    """It marks the shown example's bin."""
    import json

    text = at_width(100, "--weight", "3,4,7", "--example", "9", "--batch", "40")
    values = json.loads(nn("inspect-gradients", run, "--weight", "3,4,7", "--batch", "40", "--json").out)["weight"][
        "per_example"
    ]
    rows = re.findall(r"^ +(\S+) to +(\S+) +(\d+) (.*)$", text, re.MULTILINE)
    assert sum(int(count) for _, _, count, _ in rows) == 40
    for low, high, count, rest in rows:
        inside = [value for value in values if float(low) <= value < float(high)]
        assert len(inside) == int(count)
        assert ("◀ C_9" in rest) == (values[9] in inside)


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [1.0, 1.0],
        [-1e-12, 3e-9],
        [1e300, -1e300],
        [5e-324, 0.0],
        [1.0, 1.0 + 1e-15],
        list(np.linspace(-0.187, 0.21, 64)),
    ],
)
def test_a_histogram_has_few_bins_and_loses_no_value(values: list[float]) -> None:
    """There are at most nine bins. If values have both signs, 0 is an edge."""
    bins = histogram(values)
    assert 1 <= len(bins) <= 9
    assert sorted(i for bin_ in bins for i in bin_.members) == list(range(len(values)))
    for bin_ in bins:
        rounding = 1e-9 * (bin_.high - bin_.low)
        assert all(bin_.low - rounding <= values[i] <= bin_.high + rounding for i in bin_.members)
    if min(values) < 0 < max(values):
        assert any(bin_.low == 0 for bin_ in bins)


def test_nan_or_no_values_give_no_histogram() -> None:
    assert histogram([1.0, float("nan")]) == []
    assert histogram([]) == []


# Colour, symbols


def test_variables_have_the_chapters_colours() -> None:
    text = "∂C_9/∂w(3)[4,12] = a(2)[12] σ′(z(3)[4]), b(3)[4], y[4]; Change a bit by now."
    painted = Terminal(colour=True).paint(text)
    assert re.findall(r"\x1b\[(\d+)m(.*?)\x1b\[0m", painted) == [
        ("91", "∂C_9"), ("94", "∂w(3)[4,12]"), ("32", "z(3)[4]"), ("95", "b(3)[4]"), ("33", "y[4]")
    ]  # fmt: skip
    assert re.sub(r"\x1b\[\d+m", "", painted) == text


def test_colour_is_only_for_terminals_without_NO_COLOR(
    nn_process: Callable[..., "object"], at_width: Callable[..., str], monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    """A terminal of the type `dumb` gets no colour either."""
    assert "\x1b" not in at_width(80)
    for value, coloured in (("", True), ("1", False)):
        assert ("\x1b[9" in in_terminal(run, NO_COLOR=value, TERM="xterm")) == coloured
    assert "\x1b[9" not in in_terminal(run, NO_COLOR="", TERM="dumb")


def test_symbols_are_spelt_in_ascii_if_the_encoding_lacks_them(run: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        text = in_terminal(run, PYTHONIOENCODING=encoding, NO_COLOR="1")
        assert text.isascii()
        assert "?" not in text
        assert re.search(r"dC_\d+/dw\(\d\)\[\d+,\d+\]", text)
        assert "s'(z(" in text
    assert set("∂Δ∇Σσ′²×·−▶◀█━─│") <= set(ASCII)


def in_terminal(run: Path, **environment: str) -> str:
    """The command's output on a terminal of 80 columns."""
    import os
    import pty
    import subprocess
    import sysconfig

    leader, follower = pty.openpty()
    command = [Path(sysconfig.get_path("scripts")) / "nn", "inspect-gradients", run]
    done = subprocess.Popen(
        command, stdout=follower, stderr=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "80", **environment}
    )
    os.close(follower)
    content = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        content += part
    assert done.wait() == 0
    os.close(leader)
    return content.decode()


# The whole text, word for word

CHAIN = """\
1-1-1-1 sigmoid, squared error
example 0 of the train split: C = 0.236089

weight w(3)[0,0] = +1.500000   from neuron 0 of layer 2 to neuron 0 of layer 3   example 0, label 1

   a(2)[0]   ──w──▶   z(3)[0]   ──σ──▶   a(3)[0]   ──Σ(a−y)²──▶    C_0
  +0.504303          +0.056455          +0.514110                0.236089
                                        y[0] = 1

  factor               by formula                at w +0.01
  ∂z(3)[0]/∂w(3)[0,0]  a(2)[0]        +0.504303  Δz +0.005043  Δz/Δw +0.504303
  ∂a(3)[0]/∂z(3)[0]    σ′(z(3)[0])  × +0.249801  Δa +0.001260  Δa/Δz +0.249783
  ∂C_0/∂a(3)[0]        2(a − y)     × -0.971780  ΔC -0.001223  ΔC/Δa -0.970520
  ∂C_0/∂w(3)[0,0]                   = -0.122420                ΔC/Δw -0.122253
  Raising w by 0.01 lowered C_0 from 0.2360891 to 0.2348666.

∂C_0/∂a(2)[0] = Σ_j ∂z(3)[j]/∂a(2)[0] · ∂a(3)[j]/∂z(3)[j] · ∂C_0/∂a(3)[j]   1 path
  through    w(3)[j,0]  σ′(z(3)[j])     2(a − y)      product
  j = 0      +1.500000  × +0.249801  × -0.971780  = -0.364127  ◀━━━━━━━━━━━
  sum                                             = -0.364127  as backprop

A plain step with the next epoch's η = 1 changes w by −η ∂C/∂w = +0.122420.

∇C_0, all 6 entries, each with its factors
"""
CHAIN_LAYERS = """

layer  weights   ‖∂C/∂w‖   ‖∂C/∂b‖  rms ∂C/∂z  mean σ′  saturated   step/w  largest at
    1        1  1.05e-02  1.74e-02   1.74e-02   0.2393       0.0%  8.7e-03  w(1)[0,0]
    2        1  5.49e-02  9.10e-02   9.10e-02   0.2500       0.0%  6.9e-02  w(2)[0,0]
    3        1  1.22e-01  2.43e-01   2.43e-01   0.2498       0.0%  8.2e-02  w(3)[0,0]
going back, rms ∂C/∂z changes ×0.37 from layer 3 to 2, ×0.19 from layer 2 to 1
"""

# Two of three examples push the weight down. The test calculates this separately.
PAIR = """\
dtype: float64
data: {source: inline, inputs: [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], targets: [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]}
network:
  sizes: [2, 2, 2, 2]
  init:
    w: {1: [[0.5, -1.0], [1.5, 0.25]], 2: [[2.0, -0.5], [-1.0, 1.0]], 3: [[1.0, -2.0], [-1.5, 0.5]]}
    b: {1: [0.1, -0.2], 2: [0.0, 0.3], 3: [-0.4, 0.2]}
"""


def test_the_chapters_chain_is_explained_word_for_word(nn: Command) -> None:
    out = nn("inspect-gradients", "chain", "--init").out
    assert out.startswith(CHAIN)
    assert out.endswith(CHAIN_LAYERS)


@pytest.mark.parametrize("width", [60, 80, 100])
def test_what_stands_out_comes_after_the_layers(width: int, nn: Command, small: Path) -> None:
    """A healthy network has no such paragraph."""
    nn("train", small, "--run-dir", "ill", "--set", "training.learning_rate=1000000", "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        out = nn("inspect-gradients", "ill", "--check").out
    paragraphs = out.split("\n\n")
    (at,) = [i for i, text in enumerate(paragraphs) if text.startswith("What stands out\n")]
    assert "rms ∂C/∂z" in paragraphs[at - 1]
    assert paragraphs[at + 1].startswith("check: ")
    assert "η = 1000000 is probably too large; try 3." in " ".join(paragraphs[at].split())
    assert "try\n" not in paragraphs[at]
    assert max(map(len, out.splitlines())) <= width


def test_a_healthy_networks_report_says_nothing_stands_out(at_width: Callable[..., str]) -> None:
    assert "What stands out" not in at_width(80)


def test_with_a_page_only_the_heading_is_printed(nn: Command, run: Path) -> None:
    """And where the page opens, and the verdict of a check."""
    outcome = nn(
        "inspect-gradients", run, "--weight", "3,4,7", "--example", "9", "--batch", "40", "--html", "page.html"
    )
    whole = nn("inspect-gradients", run, "--weight", "3,4,7", "--example", "9", "--batch", "40").out
    heading, opens = outcome.out.rsplit("\n", 2)[:2]
    assert whole.startswith(heading)
    assert re.fullmatch(r"The page opens at weight w\(3\)\[4,7\], example 9, label \d\.", opens)
    assert re.fullmatch(r"page written to page\.html .*; open it in a browser\n", outcome.err)
    checked = nn("inspect-gradients", run, "--bias", "2,5", "--html", "page.html", "--check").out
    assert "The page opens at bias b(2)[5], example 0" in checked
    assert "\ncheck: backpropagation agrees" in checked


def test_statements_in_the_text_match_a_numpy_calculation(nn: Command) -> None:
    Path("pair.yaml").write_text(PAIR)
    w = [
        np.array(rows) for rows in ([[0.5, -1.0], [1.5, 0.25]], [[2.0, -0.5], [-1.0, 1.0]], [[1.0, -2.0], [-1.5, 0.5]])
    ]
    b = [np.array([column]).T for column in ([0.1, -0.2], [0.0, 0.3], [-0.4, 0.2])]
    x, y = np.array([[1.0, 0, 1], [0, 1, 1]]), np.array([[1.0, 0, 0], [0, 1, 1]])

    def cost(w: list[np.ndarray]) -> np.ndarray:
        a = x
        for w_l, b_l in zip(w, b, strict=True):
            a = 1 / (1 + np.exp(-(w_l @ a + b_l)))
        return ((a - y) ** 2).sum(axis=0)

    for layer, j, k in np.ndindex(3, 2, 2):
        up, down, nudged = ([v.copy() for v in w] for _ in range(3))
        up[layer][j, k] += 1e-5
        down[layer][j, k] -= 1e-5
        nudged[layer][j, k] += 0.01
        each = (cost(up) - cost(down)) / 2e-5
        place = f"{layer + 1},{j},{k}"
        for example in range(3):
            out = nn(
                "inspect-gradients", "pair.yaml", "--init", "--weight", place, "--example", example, "--batch", "3"
            ).out
            text = " ".join(out.split())
            before, after = cost(w)[example], cost(nudged)[example]
            if abs(after - before) < 1e-12:
                assert f"Raising w by 0.01 left C_{example} at {before:.6f}" in text
            else:
                effect = "lowered" if after < before else "raised"
                assert f"Raising w by 0.01 {effect} C_{example} from {before:#.7g} to {after:#.7g}." in text
            down, up = (int((sign * each > 0).sum()) for sign in (1, -1))
            neither = f", {3 - down - up} neither" if down + up < 3 else ""
            cancels = 100 * (1 - abs(each.sum()) / np.abs(each).sum())
            assert f"{down} of 3 push w down, {up} up{neither}; {cancels:.0f}% of their size cancels." in text
            (average, spread) = re.search(r"Σ_i ∂C_i/∂w\S+ = (\S+) spread \(s\.d\.\) (\S+)", text).groups()  # type: ignore[union-attr]
            assert float(average) == pytest.approx(each.mean(), rel=1e-3)
            assert float(spread) == pytest.approx(each.std(), rel=1e-3)
            (step,) = re.findall(r"η = 1 changes w by −η ∂C/∂w = (\S+)\.", text)
            assert float(step) == pytest.approx(-each.mean(), rel=1e-3)
            for row, product in re.findall(r"j = (\d) .*= (\S+) .*", out):
                assert ("◀" in out.split(f"j = {row} ")[1].split("\n")[0]) == (float(product) < 0), out


def test_the_route_follows_the_strongest_path_and_largest_weight(nn: Command) -> None:
    """It follows the strongest path up to the cost, and the largest weight down to the input."""
    Path("pair.yaml").write_text(PAIR)
    out = nn("inspect-gradients", "pair.yaml", "--init", "--weight", "1,0,1", "--batch", "3", "--depth", "3").out
    blocks = re.findall(r"((?:On|One).*:)\n∂C_0/∂a\((\d)\)\[(\d)\] = ", out)
    products = {
        int(j): float(p)
        for j, p in re.findall(r"j = (\d) .*= (\S+) ", out.split("∂C_0/∂a(1)[0] = ")[1].split("sum")[0])
    }
    strongest = max(products, key=lambda j: abs(products[j]))
    assert blocks == [
        (f"On the strongest path, ∂C_0/∂a(2)[{strongest}] is itself a sum:", "2", str(strongest)),
        ("One layer back from a(1)[0], along w(1)[0,1]:", "0", "1"),
    ]
    out = nn("inspect-gradients", "pair.yaml", "--init", "--bias", "3,0", "--batch", "3", "--depth", "3").out
    assert re.findall(r"^One layer.*", out, re.MULTILINE) == [
        "One layer back from a(3)[0], along w(3)[0,1], the largest |w| into a(3)[0]:",
        "One layer back from a(2)[1], along w(2)[1,0], the largest |w| into a(2)[1]:",
        "One layer back from a(1)[0], along w(1)[0,1], the largest |w| into a(1)[0]:",
    ]
    assert (
        "∂a(3)"
        not in nn("inspect-gradients", "pair.yaml", "--init", "--bias", "3,0").out.split("sum")[0].split("Raising")[1]
    )


def test_a_long_history_is_charted_from_first_to_last_epoch(nn: Command, small: Path) -> None:
    nn("train", small, "--run-dir", "run", "--set", "training.gradient_norms=true", "--quiet")
    file = Path("run/gradients.csv")
    header = file.read_text().splitlines()[0]
    rows = [f"{epoch},{l},{0.0 if epoch == 50 else 10.0 ** -(epoch / 50)},1.0" for epoch in range(101) for l in (1, 2)]
    file.write_text("\n".join([header, *rows]) + "\n")
    out = nn("inspect-gradients", "run").out
    assert "‖∂C/∂w‖ from epoch 0 to 100 of training" in out
    (chart,) = re.findall(r"layer 1  1.0e\+00  (.*)  1.0e-02", out)
    assert len(chart) == 40
    assert chart[0] == "█"
    assert chart[-1] == "▁"
    assert list(chart) == sorted(chart, reverse=True)


def test_a_damaged_history_is_skipped_with_a_warning(nn: Command, run: Path) -> None:
    (run / "gradients.csv").write_text("nonsense\n")
    outcome = nn("inspect-gradients", run)
    assert outcome.code == 0
    assert "is damaged, or cannot be read" in outcome.err
    assert "the chart of the gradient norms is left out" in outcome.err
    assert "‖∂C/∂w‖ from epoch" not in outcome.out


def test_an_infinite_cost_or_gradient_is_refused_in_one_line(nn: Command) -> None:
    Path("huge.yaml").write_text(
        "dtype: float64\ndata: {source: inline, inputs: [[1.0]], targets: [[0.0]]}\n"
        "network: {sizes: [1, 1, 1], activation: identity, output: identity,"
        " init: {w: {1: [[1e200]], 2: [[1e200]]}, b: {1: [0.0], 2: [0.0]}}}\n"
    )
    outcome = nn("inspect-gradients", "huge.yaml", "--init", "--check")
    assert outcome.code == 1
    assert outcome.error.startswith(
        "Error: C or ∇C of these examples is infinite or NaN, so there is nothing to take apart"
    )


def test_a_dead_neuron_is_described_as_having_no_effect(nn: Command) -> None:
    Path("dead.yaml").write_text(
        "data: {source: inline, inputs: [[1.0], [2.0]], targets: [[0.5], [1.5]]}\n"
        "network: {sizes: [1, 1, 1], activation: relu, output: identity,"
        " init: {w: {1: [[-1.0]], 2: [[1.0]]}, b: {1: [0.0], 2: [0.0]}}}\n"
    )
    out = nn("inspect-gradients", "dead.yaml", "--init", "--weight", "1,0,0", "--check").out
    assert "No example pushes w: each derivative is 0." in out
    assert "left C_0 at 0.250000" in out
    assert "label" not in out  # the targets are not classes
    assert "rounding" not in out


def test_the_text_explains_when_sigma_prime_cancels(nn: Command) -> None:
    Path("entropy.yaml").write_text(
        "cost: cross_entropy\ndata: {source: inline, inputs: [[0.5]], targets: [[0.0]]}\n"
        "network: {sizes: [1, 1], init: {w: {1: [[70.0]]}, b: {1: [0.0]}}}\n"
    )
    out = nn("inspect-gradients", "entropy.yaml", "--init", "--weight", "1,0,0").out
    assert "× +6.66e-16" in out
    assert "σ′ and ∂C_0/∂a(1)[0] cancel: their product is ∂C_0/∂z(1)[0] = a − y = +1.000000." in out
    assert "∂C_0/∂w(1)[0,0] = a(0)[0] · (a(1)[0] − y[0])\n      = 0.5 × 1 = +0.500000" in out


def test_the_check_says_at_which_h_it_agrees(nn: Command) -> None:
    """For every other h it gives the reason: h is too large, or rounding."""
    out = nn("inspect-gradients", "chain", "--init", "--check").out
    rows = re.findall(r"^ +(\de[+-]\d\d) +(\S+) +(\de[+-]\d\d) +(agrees)? *█* ?(.*)$", out, re.MULTILINE)
    assert [row[0] for row in rows] == [f"{10.0**-n:.0e}" for n in range(13)]
    closest = [row[4] for row in rows].index("closest")
    for i, (_, derivative, error, agrees, why) in enumerate(rows):
        assert why == ("closest" if i == closest else "" if agrees else "h is too large" if i < closest else "rounding")
        assert bool(agrees) == (abs(float(derivative) + 0.12242037) < 1e-10 + 1e-6 * 0.1224), (derivative, error)
