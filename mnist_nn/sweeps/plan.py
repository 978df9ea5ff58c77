"""The plan of a sweep: which configurations, which values for which keys, how many seeds. It lists the trials.

A trial is one training. Its name is a digest of its configuration, so that the same plan gives the same names.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from ..configuration.messages import Keys, shorten
from ..configuration.reader import Override, override, parse_keys, parse_override
from ..configuration.schema import Config, Section
from ..errors import ConfigError
from ..randomness import stream
from ..runs.comparing import setting_text
from .axis import Axis, read_axis

MOST_TRIALS = 100_000
PATIENCE = 1000  # draws for each new point, before a plan is said to have too few


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _flow(value: Any) -> str:
    """A value as YAML in one line. It is JSON, but for keys that are numbers."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


class Plan(Section):
    """What `plan.yaml` holds. `trials` needs a plan whose `configs` are filled, as `resolve` does."""

    config: Annotated[list[str], BeforeValidator(_listed)] = Field(
        min_length=1, description="a recipe or YAML file, or a list of them"
    )
    set: dict[str, Any] = Field({}, description="values that replace values of every configuration")
    grid: dict[str, Any] = Field({}, description="for each key a list of values to try, or a range: log:0.01..1:5")
    random: int | None = Field(
        None, ge=1, le=MOST_TRIALS, description="number of random points of the grid; null: the whole grid"
    )
    seeds: int = Field(3, ge=1, le=1000, description="trainings of each setting, with the seeds s, s+1, …")
    order: int = Field(0, ge=0, lt=2**63, description="shuffles the trials; the random points are drawn by it, too")
    test: bool = Field(False, description="true or false: at the end measure every setting on the test set")
    configs: dict[str, Config] = Field({}, description="the complete configurations, by name")

    def resolve(
        self, read: Callable[[str, Sequence[str]], tuple[str, Config]], overrides: Sequence[str] = ()
    ) -> "Plan":
        """The plan with complete configurations, so that it no longer depends on recipes and files.

        `read` gives the name and the configuration for an entry of `config` and overrides KEY=VALUE: those in `set`,
        and then `overrides`. They also apply to `configs` that the plan has already. Raises ConfigError.
        """
        overrides = [*(f"{key}={_flow(value)}" for key, value in self.set.items()), *overrides]
        configs: dict[str, Config] = {}
        for entry in self.config:
            if entry in self.configs:
                name, config = entry, override(self.configs[entry], entry, [parse_override(one) for one in overrides])
            else:
                name, config = read(entry, overrides)
            if name in configs:
                raise ConfigError(f"config: {shorten(name)}: is given twice; leave one out, or rename its file")
            configs[name] = config
        return self.model_copy(update={"config": list(configs), "set": {}, "configs": configs})


@dataclass(frozen=True)
class Trial:
    """One training of a sweep. `number` counts the trials of the plan from 1, before they are shuffled."""

    name: str
    recipe: str
    config: Config
    number: int


def trials(plan: Plan) -> list[Trial]:
    """The trials of a plan with complete configurations, in the shuffled order in which they start.

    Each is trained in one process, by one thread if its configuration sets no number of threads. Raises ConfigError.
    """
    if "seed" in plan.grid:
        raise ConfigError("grid seed: the seeds come from `seeds` (--seeds N), which counts up from the config's seed")
    found: dict[str, Trial] = {}
    for recipe, config in plan.configs.items():
        axes = [_axis(config, key, tried) for key, tried in plan.grid.items()]
        for point in _points(axes, plan):
            for i in range(plan.seeds):
                trial = _trial(recipe, config, axes, point, i, len(found) + 1)
                if trial.name in found:
                    raise ConfigError(
                        f"the plan has the same trial twice: {_point_text(axes, point) or recipe}; leave one out"
                    )
                found[trial.name] = trial
                _require_few(len(found))
    listed = list(found.values())
    return [listed[i] for i in stream(plan.order, "trials").permutation(len(listed))]


def _require_few(count: int) -> None:
    if count > MOST_TRIALS:
        raise ConfigError(f"the plan has more than {MOST_TRIALS:,} trials; draw some with `random` (--random N)")


def _axis(config: Config, key: str, tried: Any) -> Axis:
    value: Any = config.plain()
    for part in parse_keys(key, f"grid {shorten(key)}"):
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):  # as the first trial will say
            value = None
    return read_axis(key, tried, whole=isinstance(value, int) and not isinstance(value, bool))


def _points(axes: Sequence[Axis], plan: Plan) -> Iterator[tuple[Any, ...]]:
    """Yield the points of the grid, one value for each axis: all of them, or as many random ones as the plan asks."""
    lengths = [None if axis.values is None else len(axis.values) for axis in axes]
    if plan.random is None:
        for axis, length in zip(axes, lengths, strict=True):
            if length is None:
                raise ConfigError(
                    f"grid {axis.key}: a range without a count has no fixed values; write log:0.01..1:5, or draw "
                    "with `random` (--random N)"
                )
        _require_few(prod(length or 0 for length in lengths) * plan.seeds)  # before any of them is made
        yield from product(*(axis.values or [] for axis in axes))
        return
    if not axes:
        raise ConfigError("random: there is nothing to draw from; add --grid KEY=VALUES")
    possible = None if None in lengths else prod(length or 0 for length in lengths)
    random, drawn = stream(plan.order, "points"), set[str]()
    for _ in range(PATIENCE * plan.random):
        point = tuple(axis.draw(random) for axis in axes)
        if (text := json.dumps(point)) not in drawn:
            drawn.add(text)
            yield point
        if len(drawn) == plan.random:
            return
        if len(drawn) == possible:
            break
    raise ConfigError(
        f"random: {plan.random:,}: the grid has only {len(drawn):,} points; leave `random` out to try them all"
    )


def _trial(recipe: str, config: Config, axes: Sequence[Axis], point: Sequence[Any], i: int, number: int) -> Trial:
    keys: list[Keys] = [parse_keys(axis.key, axis.key) for axis in axes]
    places = [f"grid {axis.key}={setting_text(value)}" for axis, value in zip(axes, point, strict=True)]
    chosen = [Override(*each) for each in zip(keys, point, places, strict=True)]
    tried = override(config, recipe, [*chosen, Override(("seed",), config.seed + i, f"seeds: seed {config.seed + i}")])
    threads, shards = tried.training.threads or 1, tried.training.shards or 1
    training = tried.training.model_copy(update={"threads": threads, "shards": shards})
    tried = tried.model_copy(update={"training": training})
    return Trial(_digest(tried), recipe, tried, number)


def _digest(config: Config) -> str:
    """A name for a configuration: a digest of the values that are no defaults. `data.dir` does not count."""
    values = config.model_dump(exclude_defaults=True)
    values.get("data", {}).pop("dir", None)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _point_text(axes: Sequence[Axis], point: Sequence[Any]) -> str:
    return ", ".join(f"{axis.key}={setting_text(value)}" for axis, value in zip(axes, point, strict=True))
