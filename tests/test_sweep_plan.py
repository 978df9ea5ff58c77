"""The plan of a sweep: values and ranges, trials and their names, plan files, and one line for each mistake."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mnist_nn import Config, read_config
from mnist_nn.errors import ConfigError, RunError
from mnist_nn.sweeps.axis import Axis, Range, read_axis
from mnist_nn.sweeps.plan import Plan, Trial, trials
from mnist_nn.sweeps.plan_file import plan_names, plan_text, read_plan, read_unchanged
from mnist_nn.sweeps.sweep_directory import SweepDirectory

RATE = "training.learning_rate"


def read(entry: str, overrides: Sequence[str]) -> tuple[str, Config]:
    return Path(entry).stem, read_config(entry, overrides)


def resolved(*overrides: str, config: str | list[str] = "chain", **parts: Any) -> Plan:
    """A plan with complete configurations, of one seed unless it is given."""
    return Plan.model_validate({"config": config, "seeds": 1, **parts}).resolve(read, overrides)


def tried(plan: Plan, key: str = "learning_rate") -> list[Any]:
    """The value of a key of `training` in each trial, in the order of the plan."""
    return [getattr(trial.config.training, key) for trial in in_order(plan)]


def in_order(plan: Plan) -> list[Trial]:
    return sorted(trials(plan), key=lambda trial: trial.number)


def names(plan: Plan) -> list[str]:
    return [trial.name for trial in trials(plan)]


def error_of(**parts: Any) -> str:
    with pytest.raises(ConfigError) as raised:
        trials(resolved(**parts))
    assert "\n" not in str(raised.value)
    return str(raised.value)


# Values and ranges


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("log:0.01..1:5", [0.01, 0.0316, 0.1, 0.316, 1.0]),
        ("log:1..100:3", [1.0, 10.0, 100.0]),
        ("linear:0..0.9:4", [0.0, 0.3, 0.6, 0.9]),
        ("linear:-1..1:2", [-1.0, 1.0]),
        ("linear:1e-3..0.33333:2", [0.001, 0.33333]),
    ],
)
def test_a_range_has_its_ends_and_equal_steps(text: str, values: list[float]) -> None:
    assert read_axis("k", text, whole=False).values == values


def test_a_range_of_a_whole_number_has_integers() -> None:
    values = read_axis("training.batch_size", "log:1..500:4", whole=True).values
    assert values == [1, 8, 63, 500]
    assert all(type(value) is int for value in values)


def test_no_value_of_a_range_is_outside_it() -> None:
    """To three digits 0.9998 would be 1, which is no momentum."""
    (part,) = read_axis("k", "linear:0.9991..0.9998", whole=False).parts
    assert [part.at(share, whole=False) for share in (0.0, 0.3, 0.99, 1.0)] == [0.9991, 0.9991, 0.9998, 0.9998]


def test_values_and_ranges_can_be_mixed() -> None:
    assert read_axis("k", [7, "log:1..4:3", "word"], whole=False).values == [7, 1.0, 2.0, 4.0, "word"]


def test_one_value_needs_no_list() -> None:
    assert read_axis("k", 5, whole=False) == Axis("k", [5])


def test_a_range_without_a_count_has_no_values() -> None:
    axis = read_axis("k", [1, "log:0.1..10"], whole=False)
    assert axis.values is None
    assert axis.parts == [1, Range("log", 0.1, 10.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("log:1", "grid k=log:1: is not a range; write it as log:0.01..1:5, or linear:0..0.9:4"),
        ("log:1..x:3", "grid k=log:1..x:3: is not a range; write it as log:0.01..1:5, or linear:0..0.9:4"),
        ("log:1..2:2.5", "grid k=log:1..2:2.5: is not a range; write it as log:0.01..1:5, or linear:0..0.9:4"),
        ("linear:0..inf", "grid k=linear:0..inf: is not a range; write it as log:0.01..1:5, or linear:0..0.9:4"),
        ("log:2..1:3", "grid k=log:2..1:3: a range goes from a smaller to a larger number"),
        ("linear:1..1", "grid k=linear:1..1: a range goes from a smaller to a larger number"),
        ("log:0..1:3", "grid k=log:0..1:3: a log range begins above 0, not at 0.0; use linear:"),
        ("log:1..2:1", "grid k=log:1..2:1: a range has from 2 to 10,000 values, not 1"),
        ("log:1..2:10001", "grid k=log:1..2:10001: a range has from 2 to 10,000 values, not 10,001"),
        ("linear:1..1.01:9", "grid k=linear:1..1.01:9: has only 2 different values of 3 digits; ask for fewer"),
    ],
)
def test_a_bad_range_gets_one_line(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_axis("k", text, whole=False)
    assert str(raised.value) == expected


def test_a_range_with_too_few_integers_is_refused() -> None:
    expected = "grid training.batch_size=log:1..8:10: has only 7 different integers of 3 digits; ask for fewer"
    assert error_of(grid={"training.batch_size": "log:1..8:10"}) == expected


# Trials


def test_the_trials_are_every_combination_with_every_seed() -> None:
    found = in_order(resolved(seeds=2, grid={RATE: [0.5, 1], "training.momentum": [0, 0.9]}))
    settings = [(t.config.training.learning_rate, t.config.training.momentum, t.config.seed) for t in found]
    assert settings == [
        (0.5, 0.0, 0), (0.5, 0.0, 1), (0.5, 0.9, 0), (0.5, 0.9, 1), (1.0, 0.0, 0), (1.0, 0.0, 1), (1.0, 0.9, 0), (1.0, 0.9, 1)
    ]  # fmt: skip
    assert [trial.number for trial in found] == list(range(1, 9))
    assert {trial.recipe for trial in found} == {"chain"}


def test_a_plan_without_a_grid_has_its_seeds_alone() -> None:
    assert [trial.config.seed for trial in in_order(resolved("seed=7", seeds=3))] == [7, 8, 9]


def test_every_trial_sets_its_threads_and_shards() -> None:
    (trial,) = trials(resolved())
    assert (trial.config.training.threads, trial.config.training.shards) == (1, 1)
    (trial,) = trials(resolved("training.threads=2", "training.batch_size=4", "training.shards=4"))
    assert (trial.config.training.threads, trial.config.training.shards) == (2, 4)


def test_the_name_of_a_trial_never_changes() -> None:
    """Otherwise no sweep could be resumed by another version."""
    assert names(resolved("data.inputs=[[0.25]]", grid={RATE: [0.5]})) == ["bbe6193ac352"]


def test_names_tell_every_setting_and_seed_apart() -> None:
    found = names(resolved(seeds=3, grid={RATE: [1, 2], "cost": ["squared_error", "cross_entropy"]}))
    assert len(set(found)) == 12
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in found)


def test_names_do_not_depend_on_the_place_of_the_data() -> None:
    here, there = (resolved(f"data.dir={place}", grid={RATE: [1, 2]}) for place in ("/here", "/there"))
    assert names(here) == names(there)


def test_names_do_not_depend_on_how_values_are_written(small: Path) -> None:
    assert names(resolved(grid={RATE: [1]})) == names(resolved(grid={RATE: [1.0]})) == names(resolved())
    written = [names(resolved(config=str(small), grid={"network.sizes": [s]})) for s in ("784-12-10", [784, 12, 10])]
    assert written[0] == written[1]


def test_a_trial_keeps_its_name_in_a_larger_plan() -> None:
    assert set(names(resolved(grid={RATE: [1, 2]}))) < set(names(resolved(grid={RATE: [2, 3, 1]}, seeds=2)))


def test_the_order_is_shuffled_by_the_plan_alone() -> None:
    def order(**parts: Any) -> list[int]:
        return [trial.number for trial in trials(resolved(grid={RATE: "linear:1..20:20"}, **parts))]

    assert order() == order()
    assert sorted(order()) == list(range(1, 21))
    assert order() != sorted(order())
    assert order(order=1) != order()


def test_several_configurations_are_tried_in_turn(small: Path) -> None:
    found = in_order(resolved(config=["chain", str(small)], seeds=2))
    assert [trial.recipe for trial in found] == ["chain", "chain", "small", "small"]
    assert [trial.config.network.sizes for trial in found[1:3]] == [[1, 1, 1, 1], [784, 12, 10]]


@pytest.mark.parametrize(
    ("key", "values", "sizes"),
    [
        ("network.sizes", ["784-30-10", [784, 10]], [[784, 30, 10], [784, 10]]),
        ("network.sizes", ["784-30-10"], [[784, 30, 10]]),
        ("network.sizes.1", [5, "linear:6..8:2"], [[784, 5, 10], [784, 6, 10], [784, 8, 10]]),
    ],
)
def test_sizes_can_be_tried_as_they_are_printed(
    key: str, values: list[Any], sizes: list[list[int]], small: Path
) -> None:
    assert [t.config.network.sizes for t in in_order(resolved(config=str(small), grid={key: values}))] == sizes


def test_schedules_can_be_tried_as_mappings() -> None:
    step = {"name": "step", "every": 2, "factor": 0.5}
    constant, stepped = tried(resolved(grid={"training.schedule": ["constant", step]}), "schedule")
    assert (constant, stepped.model_dump()) == ("constant", step)


# Random points


def test_random_points_are_distinct_and_always_the_same() -> None:
    grid = {RATE: "log:0.1..10", "training.momentum": [0.0, 0.5]}
    plan = resolved(random=20, grid=grid)
    points = list(zip(tried(plan), tried(plan, "momentum"), strict=True))
    assert len(set(points)) == 20
    assert all(0.1 <= rate <= 10 and float(f"{rate:.3g}") == rate for rate, _ in points)
    assert {momentum for _, momentum in points} == {0.0, 0.5}
    assert names(resolved(random=20, grid=grid)) == names(plan)
    assert set(names(resolved(random=20, grid=grid, order=1))).isdisjoint(names(plan))


def test_every_seed_trains_the_same_random_points() -> None:
    plan = resolved(random=4, seeds=2, grid={RATE: "log:0.1..10"})
    rates = tried(plan)
    assert rates[::2] == rates[1::2]
    assert len(set(rates)) == 4


def test_all_points_of_a_grid_can_be_drawn() -> None:
    assert sorted(tried(resolved(random=6, grid={RATE: [1, 2, "linear:3..6:4"]}))) == [1, 2, 3, 4, 5, 6]


def test_a_random_range_is_drawn_evenly_on_its_scale() -> None:
    """A third of the points in each decade. With 300 points, 60 would be five standard deviations away."""
    rates = tried(resolved(random=300, grid={RATE: "log:0.001..1"}))
    for low in (0.001, 0.01, 0.1):
        assert 60 < sum(low <= rate < 10 * low for rate in rates) < 140


# Mistakes

MISTAKES: list[tuple[dict[str, Any], str]] = [
    (
        {"grid": {"training.lr": [1]}},
        "grid training.lr=1: training.lr: unknown key; did you mean training.learning_rate?",
    ),
    (
        {"grid": {"learning_rate": [1]}},
        "grid learning_rate=1: learning_rate: unknown key; did you mean training.learning_rate?",
    ),
    ({"grid": {RATE: [1, "x"]}}, "grid training.learning_rate=x: training.learning_rate: 'x': must be a valid number, > 0"),
    ({"grid": {RATE: [1, -1]}}, "grid training.learning_rate=-1: training.learning_rate: -1: must be > 0"),
    ({"grid": {RATE: []}}, "grid training.learning_rate: has no values; give some, such as training.learning_rate=VALUE1,VALUE2"),
    (
        {"grid": {"training.schedule.name": ["step"]}},
        "grid training.schedule.name=step: training.schedule is not a section that holds name",
    ),
    ({"grid": {".".join("abcdefghijkl"): [1]}}, "grid a.b.c.d.e.f.g.h.i.j.k.l: nested more than 10 deep"),
    (
        {"grid": {"network.sizes": ["1-2-1"]}},
        "grid network.sizes=1-2-1: network: init.w is given for layers [1, 2, 3], but the network has layers [1, 2]",
    ),
    ({"grid": {RATE: [1, 1.0]}}, "the plan has the same trial twice: training.learning_rate=1.0; leave one out"),
    ({"grid": {"data.dir": ["/a", "/b"]}}, "the plan has the same trial twice: data.dir=/b; leave one out"),
    (
        {"grid": {"seed": [1]}},
        "grid seed: the seeds come from `seeds` (--seeds N), which counts up from the config's seed",
    ),
    (
        {"grid": {RATE: "log:1..2"}},
        "grid training.learning_rate: a range without a count has no fixed values; write log:0.01..1:5, or draw with "
        "`random` (--random N)",
    ),
    ({"random": 2}, "random: there is nothing to draw from; add --grid KEY=VALUES"),
    (
        {"random": 5, "grid": {RATE: [1, 2], "training.momentum": [0, 0.5]}},
        "random: 5: the grid has only 4 points; leave `random` out to try them all",
    ),
    ({"config": ["chain", "chain"]}, "config: chain: is given twice; leave one out, or rename its file"),
    ({"set": {"training.epoch": 1}}, "--set training.epoch=1: training.epoch: unknown key; did you mean training.epochs?"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "expected"), MISTAKES, ids=[case[1][:50] for case in MISTAKES])
def test_a_mistake_in_a_plan_gets_one_line(parts: dict[str, Any], expected: str) -> None:
    assert error_of(**parts) == expected


def test_a_last_seed_that_is_too_large_is_named() -> None:
    with pytest.raises(ConfigError) as raised:
        trials(resolved(f"seed={2**63 - 1}", seeds=2))
    assert str(raised.value).startswith(f"seeds: seed {2**63}: seed: {2**63}: must be ≥ 0 and < ")


def test_a_plan_with_too_many_trials_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnist_nn.sweeps.plan.MOST_TRIALS", 5)
    assert len(trials(resolved(grid={RATE: [1, 2, 3, 4, 5]}))) == 5
    expected = "the plan has more than 5 trials; draw some with `random` (--random N)"
    assert error_of(grid={RATE: [1, 2, 3]}, seeds=2) == expected
    assert error_of(grid={RATE: [1, 2, 3]}, random=3, seeds=2) == expected
    assert error_of(grid={"training.momentum": [0] * 6}) == expected  # before any trial is made


# Plan files


def write(text: str) -> Path:
    file = Path("plan.yaml")
    file.write_text(text)
    return file


def test_a_plan_file_says_what_the_options_say() -> None:
    file = write(
        f"config: chain\nset: {{training.epochs: 2}}\ngrid:\n  {RATE}: [0.5, log:1..4:3]\nseeds: 2\norder: 5\n"
    )
    plan = read_plan(file)
    assert plan == Plan(
        config=["chain"], set={"training.epochs": 2}, grid={RATE: [0.5, "log:1..4:3"]}, seeds=2, order=5
    )
    found = in_order(plan.resolve(read))
    assert [(trial.config.training.learning_rate, trial.config.training.epochs) for trial in found[::2]] == [
        (0.5, 2), (1.0, 2), (2.0, 2), (4.0, 2)
    ]  # fmt: skip


def test_the_set_of_a_plan_takes_mappings_with_numbers_as_keys() -> None:
    init = {"w": {1: [[1.0]], 2: [[2.0]], 3: [[3.0]]}, "b": {1: [0.0], 2: [0.0], 3: [0.0]}}
    plan = resolved(set={"network.init": init, "data.dir": "/Zürich 😀"})
    assert plan.configs["chain"].plain()["network"]["init"] == init
    assert plan.configs["chain"].data.dir == "/Zürich 😀"


def test_options_replace_what_the_set_of_a_plan_says() -> None:
    plan = resolved("training.epochs=5", set={"training.epochs": 2, RATE: 3.0})
    assert (plan.configs["chain"].training.epochs, plan.configs["chain"].training.learning_rate) == (5, 3.0)


def test_the_plan_of_a_sweep_can_be_changed_for_another() -> None:
    again = read_plan(write(plan_text(resolved(grid={RATE: [1, 2]}))))
    changed = again.model_copy(update={"set": {"training.momentum": 0.5}}).resolve(read, ["training.epochs=2"])
    assert [(t.config.training.momentum, t.config.training.epochs) for t in trials(changed)] == [(0.5, 2), (0.5, 2)]


def test_every_installed_plan_can_be_read() -> None:
    assert plan_names() == ["ladder"]
    for name in plan_names():
        assert trials(read_plan(name).resolve(read))


BAD_FILES = [
    ("", "plan.yaml: must be a mapping of keys such as `config: mnist`"),
    ("- a\n", "plan.yaml: must be a mapping of keys such as `config: mnist`"),
    ("seeds: 2\n", "plan.yaml: config: is missing"),
    ("config: chain\ngridd: {}\n", "plan.yaml:2: gridd: unknown key; did you mean grid?"),
    (
        "config: chain\nx: 1\n",
        "plan.yaml:2: x: unknown key; the keys of a plan are config, set, grid, random, seeds, order, test, configs",
    ),
    ("config: chain\n\nseeds: 0\n", "plan.yaml:3: seeds: 0: Input should be greater than or equal to 1"),
    ("config: chain\nconfigs: {chain: {seed: x}}\n", "plan.yaml:2: configs.chain.seed: 'x': Input should be a valid integer"),
    ("config: [chain\n", "plan.yaml:2: not valid YAML: expected ',' or ']', but got '<stream end>'"),
    ("config: a\nconfig: b\n", 'plan.yaml:2: not valid YAML: found duplicate key "config" with value "b" (original value: "a")'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), BAD_FILES, ids=[case[1][10:60] for case in BAD_FILES])
def test_a_bad_plan_file_is_named_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_plan(write(text))
    assert str(raised.value) == expected


def test_a_plan_that_does_not_exist_lists_the_installed_ones() -> None:
    with pytest.raises(ConfigError, match=r"^lader: is neither a file nor a plan; the plans are ladder$"):
        read_plan("lader")


# The plan of a sweep


@pytest.mark.parametrize("config", ["chain", "small.yaml", ["chain", "small.yaml"]])
def test_the_plan_of_a_sweep_is_read_back_with_every_bit(config: str | list[str], small: Path) -> None:
    plan = resolved(
        config=config, random=3, order=9, test=True, grid={RATE: ["log:0.1..10", 1 / 3], "cost": ["squared_error"]}
    )
    sweep = SweepDirectory.create(Path("sweeps/a"), plan)
    assert sweep.plan() == plan
    assert names(sweep.plan()) == names(plan)


@pytest.mark.parametrize(
    ("before", "after"),
    [("seeds: 1", "seeds: 2"), ("order: 0", "order: 1"), ("epochs: 30", "epochs: 31"), ("[1, 2]", "[1, 3]"), ("digest: ", "digest: a")],
)  # fmt: skip
def test_a_changed_plan_of_a_sweep_is_refused(before: str, after: str) -> None:
    sweep = SweepDirectory.create(Path("sweeps/a"), resolved(grid={RATE: [1, 2]}))
    text = sweep.plan_file.read_text()
    assert text.count(before) == 1
    sweep.plan_file.write_text(text.replace(before, after))
    with pytest.raises(ConfigError) as raised:
        sweep.plan()
    assert str(raised.value) == (
        "sweeps/a/plan.yaml: was changed since the sweep began; restore it, or start another sweep with "
        "`nn sweep --plan sweeps/a/plan.yaml --name NAME`"
    )
    assert read_plan(sweep.plan_file)


def test_comments_and_layout_of_a_plan_may_change() -> None:
    file = write(plan_text(resolved()).replace("seeds: 1", "seeds:   1  # one"))
    assert read_unchanged(file) == resolved()


def test_an_existing_sweep_says_whether_its_plan_is_the_same() -> None:
    path = Path("sweeps/a b")
    SweepDirectory.create(path, resolved(seeds=2))
    with pytest.raises(RunError) as raised:
        SweepDirectory.create(path, resolved(seeds=2))
    assert str(raised.value) == (
        "sweeps/a b: exists already; it has this plan: continue it with `nn sweep --resume 'a b'`"
    )
    with pytest.raises(RunError) as raised:
        SweepDirectory.create(path, resolved(seeds=3))
    assert str(raised.value) == (
        "sweeps/a b: exists already; it has another plan (seeds is 2, not 3): choose another --name"
    )


def test_a_directory_that_is_no_sweep_is_never_overwritten() -> None:
    Path("sweeps/a").mkdir(parents=True)
    with pytest.raises(RunError, match=r"^sweeps/a: exists already; choose another --name$"):
        SweepDirectory.create(Path("sweeps/a"), resolved())
    with pytest.raises(RunError, match=r"^sweeps/a: is not a sweep \(it holds no plan.yaml\)$"):
        SweepDirectory.open(Path("sweeps/a"))
    assert list(Path("sweeps/a").iterdir()) == []


def test_sweeps_that_is_a_file_is_named() -> None:
    Path("sweeps").touch()
    with pytest.raises(RunError) as raised:
        SweepDirectory.create(Path("sweeps/a"), resolved())
    assert str(raised.value) == "sweeps/a: the sweep cannot be made: sweeps is a file; choose another --name"


def test_a_plan_too_long_to_be_read_back_is_refused() -> None:
    values = [round(1 + i / 10_000, 4) for i in range(9000)]
    with pytest.raises(
        ConfigError, match=r"^the plan takes [0-9]+,[0-9]+ bytes, and at most 65,536 are read back; split"
    ):
        SweepDirectory.create(Path("sweeps/a"), resolved(grid={RATE: values}))
    assert not Path("sweeps").exists()


def test_two_processes_cannot_hold_one_sweep() -> None:
    sweep = SweepDirectory.create(Path("sweeps/a"), resolved())
    with (
        sweep.held(),
        pytest.raises(RunError, match=r"^sweeps/a: another process runs this sweep; wait for it, or stop it$"),
        sweep.held(),
    ):
        pass
    with sweep.held():
        pass


def test_holding_a_sweep_forgets_an_earlier_request_to_stop() -> None:
    sweep = SweepDirectory.create(Path("sweeps/a"), resolved())
    sweep.ask_to_stop()
    assert sweep.is_asked_to_stop()
    with sweep.held():
        assert not sweep.is_asked_to_stop()
        sweep.ask_to_stop()
        leftover = sweep.path / ".0123456789ab-1-abcdef01.nn-tmp"
        leftover.mkdir()
    assert not sweep.is_asked_to_stop()
    assert not leftover.exists()
