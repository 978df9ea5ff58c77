"""`nn inspect-gradients RUN RUN --html`: two runs side by side, on the same example, with the same scales."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browsing import OpenPage, page_once, write_page
from conftest import Command
from test_page_motion import batch_of, descend, settled

from data_scripts.idx import read_split
from mnist_nn import COSTS, load_checkpoint
from mnist_nn.examples.dataset import Examples
from mnist_nn.explaining.inspection import Inspection
from mnist_nn.explaining.parameter import Parameter

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLACE = Parameter(2, 4, 7)
EXAMPLE, BATCH = 9, 40
RATES = {"A": 0.5, "B": 5.0}
COLUMNS = {"A": 2, "B": 3}  # of the table
FACTORS = ("dz", "da_dz", "dC_da", "product")


@pytest.fixture(scope="session")
def pair_of_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two runs are that these tests read."""
    return tmp_path_factory.mktemp("pair")


@pytest.fixture
def runs(nn: Command, small: Path, pair_of_runs: Path) -> dict[str, Path]:
    """Two 784-12-10 networks: their learning rates, seeds and snapshots differ."""
    runs = {"A": pair_of_runs / "slow", "B": pair_of_runs / "fast"}
    if not runs["B"].exists():
        for name, snapshots in (("A", 6), ("B", 4)):
            settings = [f"training.learning_rate={RATES[name]}", f"training.snapshots={snapshots}"]
            settings += [f"seed={'AB'.index(name)}", "network.init=lecun_normal"]
            overrides = [part for setting in settings for part in ("--set", setting)]
            assert nn("train", small, *overrides, "--run-dir", runs[name], "--quiet").code == 0
    return runs


@pytest.fixture
def pair(nn: Command, runs: dict[str, Path], browser: "Browser") -> Iterator[OpenPage]:
    """The page of both runs, opened at w(2)[4,7] for example 9."""
    chosen = ("--weight", "2,4,7", "--example", "9", "--batch", BATCH)
    page = OpenPage(browser, page_once(nn, runs["A"].parent / "page.html", runs["A"], runs["B"], *chosen))
    yield page
    page.context.close()
    assert page.complaints == []


def inspection_of(file: Path, digits: Path, indices: list[int]) -> Inspection:
    images, labels = (part[-50:] for part in read_split(digits, "train"))  # the validation split
    examples = Examples.from_labels(images, labels, 10)[np.array(indices)]
    return Inspection(load_checkpoint(file).network, COSTS["squared_error"], examples, indices)


def best_of(run: Path) -> Path:
    return run / "checkpoints/best.safetensors"


def chain_of(page: OpenPage, name: str) -> list[float]:
    """The three factors of a run's derivative, and the derivative."""
    return page.numbers(f".compare-chain td:nth-child({COLUMNS[name]})")


def bars_of(page: OpenPage, name: str) -> np.ndarray:
    """For each layer, from the first: rms ∂C/∂z, the saturated share and mean σ′, as numbers and as lengths of bars."""
    rows = page.page.eval_on_selector_all(
        f".compare-layers >> nth={'AB'.index(name)} >> tbody tr",
        """rows => rows.map((row) => [
            ...Array.from(row.querySelectorAll(".number"), (one) => Number(one.dataset.value)),
            ...Array.from(row.querySelectorAll(".fill"), (one) => parseFloat(one.style.width) / 100)])""",
    )
    return np.array(rows[::-1])


def state_of(page: OpenPage, name: str) -> str:
    return page.text(f".compare-table tbody:nth-of-type(2) tr:first-child td:nth-child({COLUMNS[name]})")


# The command


def test_two_runs_need_a_page(nn: Command, runs: dict[str, Path]) -> None:
    for options in ([], ["--json"], ["--check"]):
        outcome = nn("inspect-gradients", runs["A"], runs["B"], *options)
        assert outcome.code == 2
        assert "two RUNs are compared on a page: add --html page.html, or name one RUN" in outcome.error
        assert outcome.out == ""


def test_three_runs_are_refused(nn: Command, runs: dict[str, Path]) -> None:
    outcome = nn("inspect-gradients", runs["A"], runs["B"], runs["A"], "--html", "page.html")
    assert outcome.code == 2
    assert "unexpected extra argument" in outcome.error


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("network.sizes=[784, 8, 10]", "network.sizes is 784-12-10 in small, but 784-8-10 in second; compare two"),
        ("data.deslant=true", "data.deslant is false in small, but true in second; compare two networks whose inputs"),
        ("cost=cross_entropy", "cost is squared_error in small, but cross_entropy in second; compare two networks"),
    ],
)
def test_networks_that_cannot_be_compared_are_named(setting: str, expected: str, nn: Command, small: Path) -> None:
    Path("second.yaml").write_text(nn("config", small, "--set", setting).out)
    outcome = nn("inspect-gradients", small, "second.yaml", "--init", "--html", "page.html")
    assert outcome.code == 2
    assert expected in outcome.error
    assert not Path("page.html").exists()


def test_the_second_run_must_exist(nn: Command, runs: dict[str, Path]) -> None:
    outcome = nn("inspect-gradients", runs["A"], "nowhere", "--html", "page.html")
    assert outcome.code == 1
    assert outcome.error == "Error: nowhere: there is no such run directory or checkpoint"


def test_two_large_networks_do_not_fit_on_a_page(nn: Command) -> None:
    Path("large.yaml").write_text("data: {source: synthetic, validation: 100}\nnetwork: {sizes: [784, 1600, 10]}\n")
    outcome = nn("inspect-gradients", "large.yaml", "large.yaml", "--init", "--batch", "1", "--html", "page.html")
    assert outcome.code == 2
    assert "two networks of at most 1,250,000 parameters each, but these have 1,272,010; name one RUN" in outcome.error


def test_text_and_json_are_of_the_first_run(nn: Command, runs: dict[str, Path]) -> None:
    both = nn("inspect-gradients", runs["A"], runs["B"], "--html", "page.html", "--json").out
    alone = nn("inspect-gradients", runs["A"], "--json").out
    assert json.loads(both) == json.loads(alone)


# The numbers


def test_the_numbers_of_both_runs_are_pythons(pair: OpenPage, runs: dict[str, Path], digits: Path) -> None:
    """B's are those of its own network on A's examples."""
    for name, run in runs.items():
        inspection = inspection_of(best_of(run), digits, list(range(BATCH)))
        d = inspection.derivative(PLACE, EXAMPLE)
        assert chain_of(pair, name) == pytest.approx([d.dz, d.da_dz, d.dC_da, d.product], rel=1e-12)
        cost, value = pair.numbers(f".compare-table tbody:nth-of-type(2) td:nth-child({COLUMNS[name]})")
        assert (cost, value) == pytest.approx((inspection.C[EXAMPLE], d.value), rel=1e-12)
        expected = [(s.dC_dz_rms, s.saturated, s.mean_sigma_prime) for s in inspection.layers(1.0)]
        np.testing.assert_allclose(bars_of(pair, name)[:, :3], expected, rtol=1e-12)
        answer = inspection.passed.a[2][:, EXAMPLE].argmax()
        assert pair.text(f".compare-table tr:has-text('reads this') >> td:nth-child({COLUMNS[name]})") == str(answer)


def test_another_example_and_weight_are_chosen_for_both(pair: OpenPage, runs: dict[str, Path], digits: Path) -> None:
    pair.choose(1, 3, 400)
    pair.find(".gallery").press("Home")
    for name, run in runs.items():
        d = inspection_of(best_of(run), digits, [0]).derivative(Parameter(1, 3, 400), 0)
        assert chain_of(pair, name) == pytest.approx([d.dz, d.da_dz, d.dC_da, d.product], rel=1e-12)


def test_the_differing_settings_are_named(pair: OpenPage) -> None:
    assert "A: slow · B: fast · 784-12-10 sigmoid" in pair.text(".subject")
    assert "training.learning_rate: 0.5 | 5.0" in pair.text(".subject")
    rows = [row.split() for row in pair.find(".compare-settings tr").all_inner_texts()]
    assert rows == [["seed", "0", "1"], ["training.learning_rate", "0.5", "5.0"], ["training.snapshots", "6", "4"]]


def test_equal_configurations_are_said_to_be_equal(nn: Command, runs: dict[str, Path], browser: "Browser") -> None:
    """Two checkpoint files of one run."""
    files = [runs["B"] / f"snapshots/{file.name}" for file in sorted((runs["B"] / "snapshots").iterdir())]
    page = OpenPage(browser, write_page(nn, files[0], files[-1])[0])
    assert pair_text(page, ".compare-settings") == "settings all alike"
    assert state_of(page, "A") == "before training"
    assert state_of(page, "B") == "trained: epoch 3"
    page.context.close()


def pair_text(page: OpenPage, selector: str) -> str:
    return " ".join(page.text(selector).split())


def test_each_network_has_its_own_findings(nn: Command, small: Path, browser: "Browser") -> None:
    """The untrained networks of two configurations."""
    for name, setting in (("ill", "training.learning_rate=1000000"), ("tanh", "network.activation=tanh")):
        Path(f"{name}.yaml").write_text(nn("config", small, "--set", setting).out)
    file, document = write_page(nn, "ill.yaml", "tanh.yaml", "--init")
    alone = json.loads(nn("inspect-gradients", "tanh.yaml", "--init", "--json").out)
    page = OpenPage(browser, file)
    shown = [page.find(f".compare-findings >> nth={n} >> li").all_inner_texts() for n in (0, 1)]
    assert shown == [[finding["text"] for finding in one["diagnosis"]] for one in (document, alone)]
    assert shown[0]
    assert page.find(".compare-healthy").nth(1).is_visible() == (not shown[1])
    page.context.close()


def test_one_run_alone_has_no_such_section(nn: Command, runs: dict[str, Path], browser: "Browser") -> None:
    page = OpenPage(browser, write_page(nn, runs["A"])[0])
    assert page.find("#section-compare").is_hidden()
    assert page.find("#compare").inner_html() == ""
    page.context.close()


# The shared scales


def test_bars_have_one_scale_for_both_runs(pair: OpenPage) -> None:
    a, b = (bars_of(pair, name) for name in "AB")
    (powers,) = {
        int(value)
        for value in pair.page.eval_on_selector_all(
            ".compare-layers", "all => all.map((one) => one.style.getPropertyValue('--powers'))"
        )
    }
    values, lengths = np.vstack([a[:, :3], b[:, :3]]), np.vstack([a[:, 3:], b[:, 3:]])
    differences = np.log10(values[:, 0] / values[0, 0]) / powers
    np.testing.assert_allclose(lengths[:, 0] - lengths[0, 0], differences, atol=1e-5)
    assert (lengths[:, 0] > 0).all()
    assert (lengths[:, 0] <= 1).all()
    np.testing.assert_allclose(lengths[:, 1], values[:, 1], atol=1e-5)
    np.testing.assert_allclose(lengths[:, 2], values[:, 2] / 0.25, atol=1e-5)


def test_equal_values_have_equal_colours_in_both_runs(pair: OpenPage, runs: dict[str, Path], digits: Path) -> None:
    """Every cell is mixed of the paper and the colour of its sign, by its share of the largest value of both runs."""
    pair.choose(1, 3, 0)
    paper, plus, minus = (np.array(colour) for colour in ((255, 255, 255), (208, 101, 27), (47, 111, 214)))
    read = """all => all.map((canvas) => {
        const cell = canvas.width / 28;
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const corner = (k) => 4 * (Math.floor(k / 28) * cell * canvas.width + (k % 28) * cell);
        return Array.from({ length: 784 }, (_, k) => Array.from(data.slice(corner(k), corner(k) + 3)));
    })"""
    pictures = np.array(pair.page.eval_on_selector_all(".compare-heat", read)).reshape(2, 2, 784, 3)
    inspections = [inspection_of(best_of(run), digits, [EXAMPLE]) for run in runs.values()]
    weights = np.array([i.network.w[1][3] for i in inspections], dtype=float)
    gradients = np.array([i.back.dC_dz[1][3, 0] * i.passed.a[0][:, 0] for i in inspections])
    for n, values in enumerate((weights, gradients)):
        share = (np.abs(values) / np.abs(values).max())[..., None]
        expected = paper + np.where(values[..., None] < 0, minus - paper, plus - paper) * share
        away_from_mark = [k for k in range(784) if k not in (0, 1, 28, 29)]
        np.testing.assert_allclose(pictures[:, n][:, away_from_mark], expected[:, away_from_mark], atol=0.51)
        shown = pair.numbers(f".compare-pictures figure:nth-child({n + 1}) figcaption")
        assert shown == pytest.approx(np.abs(values).max(axis=1).tolist(), rel=1e-12)


def test_curves_of_both_trainings_share_a_chart(pair: OpenPage, runs: dict[str, Path]) -> None:
    cost = pair.find("#compare .chart canvas").first.get_attribute("aria-label") or ""
    for name, run in runs.items():
        rows = [line.split(",") for line in (run / "metrics.csv").read_text().split()]
        last = float(rows[-1][rows[0].index("validation_cost")])
        told = re.search(rf"{name}: {run.name}: .*?, ([\d.]+) at steps 48", cost)
        assert told
        assert float(told[1]) == pytest.approx(last, rel=0.01)


# Both move


def test_one_step_moves_both_each_by_its_own_rate(pair: OpenPage, runs: dict[str, Path], digits: Path) -> None:
    x, y = batch_of(digits, BATCH)
    rates = {"A": 0.25, "B": 2.5}
    for name, rate in rates.items():
        pair.find(f"#rate-{name}").fill(str(rate))
        pair.find(f"#rate-{name}").press("Enter")
    assert pair.find("#rate").input_value() == "0.25"
    pair.find("input[name=over][value=batch]").check()
    networks = {name: load_checkpoint(best_of(run)).network.astype(np.float64) for name, run in runs.items()}
    for steps, button in ((1, "#step"), (11, "#ten")):
        pair.find(button).click()
        settled(pair, steps)
        pair.find("#play", has_text="play").wait_for()
        for name, network in networks.items():
            descend(network, x, y, "squared_error", rates[name], 1 if steps == 1 else 10)
            examples = Examples(x.T[[EXAMPLE]], y.T[[EXAMPLE]])
            d = Inspection(network, COSTS["squared_error"], examples, [EXAMPLE]).derivative(PLACE, 0)
            assert chain_of(pair, name) == pytest.approx([d.dz, d.da_dz, d.dC_da, d.product], rel=1e-11)
            assert state_of(pair, name).endswith("+ 1 step" if steps == 1 else "+ 11 steps")
    assert pair.find("#compare .chart").nth(2).is_visible()


def test_back_and_reset_move_both_to_the_same_bits(pair: OpenPage) -> None:
    seen = [[chain_of(pair, name) for name in "AB"]]
    for steps in (1, 2):
        pair.find("#step").click()
        settled(pair, steps)
        seen.append([chain_of(pair, name) for name in "AB"])
    assert all(before[n] != after[n] for before, after in pairwise(seen) for n in (0, 1))
    pair.find("#back").click()
    assert [chain_of(pair, name) for name in "AB"] == seen[1]
    pair.find("#reset").click()
    assert [chain_of(pair, name) for name in "AB"] == seen[0]


def test_playing_and_pausing_keep_both_in_step(pair: OpenPage) -> None:
    """By keyboard. A pause may come in the middle of a step."""
    pair.find("input[name=over][value=batch]").check()
    for n in (3, 6, 9):
        pair.find("#play").press("Enter")
        pair.find("#transport .where", has_text=re.compile(rf"\+ ([{n}-9]|\d\d+) steps")).wait_for()
        pair.find("#play").press("Enter")
        taken = [re.findall(r"\+ (\d+) steps", state_of(pair, name)) for name in "AB"]
        assert taken[0] == taken[1] != []


def test_the_time_line_moves_the_other_run_to_the_nearest_step(
    pair: OpenPage, runs: dict[str, Path], digits: Path
) -> None:
    steps = {name: [int(file.stem.split("-")[-1]) for file in snapshots_of(run)] for name, run in runs.items()}
    assert steps["A"] != steps["B"]
    for i, step in enumerate(steps["A"]):
        pair.find("#time").fill(str(i))
        nearest = min(steps["B"], key=lambda other: abs(other - step))
        assert f"step {nearest}," in state_of(pair, "B") or nearest == 0
        file = snapshots_of(runs["B"])[steps["B"].index(nearest)]
        d = inspection_of(file, digits, [EXAMPLE]).derivative(PLACE, 0)
        assert chain_of(pair, "B") == pytest.approx([d.dz, d.da_dz, d.dC_da, d.product], rel=0.02, abs=1e-6)


def snapshots_of(run: Path) -> list[Path]:
    return sorted((run / "snapshots").iterdir())


def test_a_link_keeps_the_other_runs_rate(pair: OpenPage) -> None:
    pair.find("#rate-B").fill("3.5")
    pair.find("#rate-B").press("Enter")
    pair.find("input[name=over][value=batch]").check()
    pair.find("#step").click()
    settled(pair, 1)
    numbers = chain_of(pair, "B")
    pair.page.wait_for_url("**#*rate-B=3.5*")
    link = pair.page.url
    pair.page.goto("about:blank")
    pair.page.goto(link)
    settled(pair, 1)
    assert pair.find("#rate-B").input_value() == "3.5"
    assert chain_of(pair, "B") == numbers


def test_a_change_by_hand_is_the_first_networks_alone(nn: Command, browser: "Browser") -> None:
    """Going back from it leaves the other network where it is."""
    Path("other.yaml").write_text(nn("config", "chain", "--set", "training.learning_rate=3").out)
    page = OpenPage(browser, write_page(nn, "chain", "other.yaml", "--init")[0])
    page.find("#step").click()
    settled(page, 1)
    before = [chain_of(page, name) for name in "AB"]
    page.find(".entries [aria-label='w(1)[0,0]']").fill("0.5")
    page.find(".entries [aria-label='w(1)[0,0]']").press("Enter")
    assert chain_of(page, "A") != before[0]
    assert chain_of(page, "B") == before[1]
    page.find("#back").click()
    assert [chain_of(page, name) for name in "AB"] == before
    page.context.close()
    assert page.complaints == []


# The screen


def test_guessing_hides_the_chain_of_both(pair: OpenPage) -> None:
    pair.find("#guessing").check()
    assert not pair.find(".compare-chain").is_visible()
    assert not pair.find(".compare-pictures figure").nth(1).is_visible()
    pair.find("#guess-rises").click()
    assert pair.find(".compare-chain").is_visible()


def test_the_keyboard_reaches_both_rates(pair: OpenPage) -> None:
    pair.find("#rate-A").focus()
    pair.page.keyboard.press("Tab")
    pair.page.keyboard.type("7")
    pair.page.keyboard.press("Enter")
    assert pair.page.evaluate("document.activeElement.id") == "rate-B"
    assert pair.find("#rate-A").input_value() == "0.5"


@pytest.mark.parametrize("width", [360, 768, 1366, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    width: int, scheme: str, nn: Command, runs: dict[str, Path], browser: "Browser"
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe: pip install -e '.[browser]'")
    file, _ = write_page(nn, runs["A"], runs["B"])
    page = OpenPage(browser, file, viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.find("#step").click()
    settled(page, 1)
    violations = axe.Axe().run(page.page, context="#section-compare").response["violations"]
    serious = [v["id"] + ": " + v["nodes"][0]["html"] for v in violations if v["impact"] in ("serious", "critical")]
    assert serious == []
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    cut_off = page.page.eval_on_selector_all(
        "#compare .number, #compare .compare-ratio, #compare th, #compare canvas",
        """all => all.filter((one) => one.offsetParent).filter((one) => {
            const inside = one.closest("td, th, figure").getBoundingClientRect();
            const box = one.getBoundingClientRect();
            return one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline"
                || box.right > inside.right + 1;
        }).map((one) => one.outerHTML)""",
    )
    assert cut_off == []
    columns = page.page.eval_on_selector_all(
        ".compare-layers", "all => new Set(all.map((one) => Math.round(one.getBoundingClientRect().left))).size"
    )
    assert columns == (1 if width < 620 else 2)
    page.context.close()


def test_on_paper_both_runs_are_printed(pair: OpenPage) -> None:
    pair.page.emulate_media(media="print")
    assert pair.find(".compare-chain").is_visible()
    assert pair.find(".compare-layers").nth(1).is_visible()
    assert not pair.find("#rate-B").is_visible()


def test_a_hostile_second_name_is_shown_but_runs_nothing(nn: Command, small: Path, browser: "Browser") -> None:
    name = "<∕script><script>window.hacked = 1<∕script><img src=x onerror=hacked=1>{{data}}'\"&amp;"
    assert nn("train", small, "--set", "seed=3", "--run-dir", name, "--quiet").code == 0
    page = OpenPage(browser, write_page(nn, name, name)[0])
    assert page.text(".compare-columns h3 >> nth=1").endswith(name)
    assert page.page.evaluate("window.hacked") is None
    assert page.page.evaluate("document.images.length") == 0
    page.context.close()
    assert page.complaints == []
