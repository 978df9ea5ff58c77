"""The text of `nn inspect-gradients`: fits the terminal, tells the story, needs neither colour nor Unicode."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from nn_cli.histogram import histogram
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


def test_the_chain_of_dependencies_is_drawn_with_its_values_below(at_width: Callable[..., str]) -> None:
    lines = at_width(100, "--weight", "3,4,7", "--example", "9", "--batch", "40").splitlines()
    at = next(i for i, line in enumerate(lines) if "──w──▶" in line)
    assert lines[at].split() == ["a(2)[7]", "──w──▶", "z(3)[4]", "──σ──▶", "a(3)[4]", "──Σ(a−y)²──▶", "C_9"]
    assert len(lines[at + 1].split()) == 4
    assert re.fullmatch(r" +y\[4\] = [01]", lines[at + 2])


def test_without_room_the_chain_runs_from_top_to_bottom(nn: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    wide = "network: {sizes: [784, 1200, 1100, 10]}\ndata: {source: synthetic, validation: 100}\n"
    Path("wide.yaml").write_text(wide)
    out = nn("inspect-gradients", "wide.yaml", "--init", "--weight", "2,1099,1199", "--batch", "2").out
    assert re.search(r"  a\(1\)\[1199\] \S+\n  │ w\n  ▼\n  z\(2\)\[1099\] \S+\n  │ σ\n  ▼\n", out)
    assert max(map(len, out.splitlines())) <= 60


def test_a_table_that_is_too_wide_goes_on_below_with_its_first_column_repeated() -> None:
    rows = [["key", "a" * 20, "b" * 20, "c" * 20], ["one", "1", "2", "3"]]
    assert Terminal(60).table(rows, "<<<<") == [
        "  key  " + "a" * 20 + "  " + "b" * 20,
        "  one  1" + " " * 21 + "2",
        "  key  " + "c" * 20,
        "  one  3",
    ]


def test_depth_follows_the_chain_to_the_cost_and_back_to_the_input(at_width: Callable[..., str]) -> None:
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


def test_the_whole_gradient_of_the_chain_is_written_out_with_every_factor(nn: Command) -> None:
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


def test_a_larger_network_is_not_written_out(at_width: Callable[..., str]) -> None:
    assert "all" not in [line.split(" ")[1:2] for line in at_width(100).splitlines() if line.startswith("∇C")]


def test_the_gradient_norms_of_the_run_are_charted(at_width: Callable[..., str], run: Path) -> None:
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


def test_the_histogram_counts_every_example_and_says_where_the_shown_one_is(
    at_width: Callable[..., str], nn: Command, run: Path
) -> None:
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
def test_a_histogram_has_few_bins_with_round_edges_and_loses_nothing(values: list[float]) -> None:
    bins = histogram(values)
    assert 1 <= len(bins) <= 9
    assert sorted(i for bin_ in bins for i in bin_.members) == list(range(len(values)))
    for bin_ in bins:
        rounding = 1e-9 * (bin_.high - bin_.low)
        assert all(bin_.low - rounding <= values[i] <= bin_.high + rounding for i in bin_.members)
    if min(values) < 0 < max(values):
        assert any(bin_.low == 0 for bin_ in bins)


def test_what_is_not_finite_has_no_histogram() -> None:
    assert histogram([1.0, float("nan")]) == []
    assert histogram([]) == []


# Colour, symbols


def test_the_chapters_variables_have_the_chapters_colours() -> None:
    text = "∂C_9/∂w(3)[4,12] = a(2)[12] σ′(z(3)[4]), b(3)[4], y[4]; Change a bit by now."
    painted = Terminal(colour=True).paint(text)
    assert re.findall(r"\x1b\[(\d+)m(.*?)\x1b\[0m", painted) == [
        ("91", "∂C_9"), ("94", "∂w(3)[4,12]"), ("32", "z(3)[4]"), ("95", "b(3)[4]"), ("33", "y[4]")
    ]  # fmt: skip
    assert re.sub(r"\x1b\[\d+m", "", painted) == text


def test_nothing_is_coloured_where_there_is_no_terminal_or_NO_COLOR_is_set(
    nn_process: Callable[..., "object"], at_width: Callable[..., str], monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    assert "\x1b" not in at_width(80)
    for value, coloured in (("", True), ("1", False)):
        assert ("\x1b[9" in in_terminal(run, NO_COLOR=value, TERM="xterm")) == coloured
    assert "\x1b[9" not in in_terminal(run, NO_COLOR="", TERM="dumb")


def test_where_the_encoding_lacks_the_symbols_they_are_spelt_in_ascii(run: Path) -> None:
    for encoding in ("ascii", "latin-1"):
        text = in_terminal(run, PYTHONIOENCODING=encoding, NO_COLOR="1")
        assert text.isascii()
        assert "?" not in text
        assert re.search(r"dC_\d+/dw\(\d\)\[\d+,\d+\]", text)
        assert "s'(z(" in text
    assert set("∂Δ∇Σσ′²×·−▶◀█━─│") <= set(ASCII)


def in_terminal(run: Path, **environment: str) -> str:
    """What the command prints to a terminal of 80 columns."""
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
