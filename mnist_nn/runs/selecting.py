"""Which runs, and in which order: KEY and KEY=VALUE. KEY is a column of the table of runs or a configuration key."""

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from ..configuration.messages import SYNONYMS, escape, shorten
from ..configuration.reader import read_value
from ..errors import ConfigError
from .comparing import NOT_COMPARED, RecordStatus, RunRecord, setting_keys, setting_text

COLUMNS = ("name", "status", "epochs", "accuracy", "test", "time")
# Words that are no short names of keys, because a reader would take them for a figure of the run.
RESERVED = {*COLUMNS, "validation"}
MEANT = {
    **dict.fromkeys(("run", "path", "dir"), "name"),
    **dict.fromkeys(("best", "acc", "train", "validation", "train_accuracy", "validation_accuracy"), "accuracy"),
    **dict.fromkeys(("test_accuracy", "tested"), "test"),
    **dict.fromkeys(("seconds", "duration"), "time"),
    "state": "status",
}


@cache
def short_names() -> dict[str, str]:
    """The shortest unambiguous name of every configuration key: `learning_rate` for `training.learning_rate`."""
    last = {key: key.rpartition(".")[2] for key in setting_keys()}
    count = Counter(last.values())
    return {key: key if count[word] > 1 or word in RESERVED else word for key, word in last.items()}


def value_of(record: RunRecord, key: str) -> Any:
    """The value of a column or configuration key for a run. None where the run has none."""
    match key:
        case "name" | "status" | "epochs" | "accuracy":
            return getattr(record, key)
        case "test":
            return record.test_accuracy
        case "time":
            return record.seconds
    return record.settings.get(key)


def find_key(word: str, place: str) -> str:
    """The column, or the configuration key with its sections, that a word names.

    Raises ConfigError, which begins with `place` and suggests the nearest key.
    """
    if word in COLUMNS or word in setting_keys():
        return word
    if word in NOT_COMPARED:
        raise ConfigError(f"{place}: {word} is not compared, because each machine may have its own")
    names = short_names()
    for key, name in names.items():
        if name == word:
            return key
    meant = MEANT.get(word.lower()) or names.get(SYNONYMS.get(word.lower(), ""))
    if not meant:
        known = {**{column: column for column in COLUMNS}, **{name: name for name in names.values()}, **names}
        near = difflib.get_close_matches(word.lower().replace("-", "_"), known, n=1, cutoff=0.6)
        meant = known[near[0]] if near else ""
    way_out = (
        f"did you mean {meant}?"
        if meant
        else f"the keys are {', '.join(COLUMNS)}, and those of a configuration, which `nn config` prints"
    )
    raise ConfigError(f"{place}: unknown key; {way_out}")


@dataclass(frozen=True)
class Condition:
    """KEY=VALUE. `value` is what VALUE means in YAML."""

    key: str
    value: Any
    text: str

    def holds_for(self, record: RunRecord) -> bool:
        """Whether the run has this value, or a value that is printed like this."""
        if record.settings or self.key in COLUMNS:
            value = value_of(record, self.key)
            same = value == self.value and isinstance(value, bool) == isinstance(self.value, bool)
            return same or setting_text(value) == self.text
        return False


def parse_condition(condition: str) -> Condition:
    """Read a condition such as `momentum=0.9`. Raises ConfigError."""
    place = f"--where {shorten(escape(condition))}"
    word, equals, text = condition.partition("=")
    if not equals or not word.strip():
        raise ConfigError(f"{place}: needs the form KEY=VALUE, such as status=finished")
    key, text = find_key(word.strip(), place), text.strip()
    statuses = get_args(RecordStatus)
    if key == "status" and text not in statuses:
        near = difflib.get_close_matches(text, statuses, n=1, cutoff=0.5)
        raise ConfigError(f"{place}: must be {', '.join(statuses)}" + (f"; did you mean {near[0]}?" if near else ""))
    return Condition(key, text if key == "name" else read_value(text, place), text)


def sort_records(records: Iterable[RunRecord], order: str) -> list[RunRecord]:
    """The runs in the order of a key, ascending, or descending for a key after a minus sign: `-accuracy`.

    Runs without a value come last in both cases. Runs with the same value keep their order. Raises ConfigError.
    """
    key = find_key(order.removeprefix("-"), f"--sort {shorten(escape(order))}")
    having: list[RunRecord] = []
    without: list[RunRecord] = []
    for record in records:
        (without if value_of(record, key) is None else having).append(record)
    having.sort(key=lambda record: _comparable(value_of(record, key)), reverse=order.startswith("-"))
    return having + without


def _comparable(value: Any) -> tuple[int, Any]:
    """A sort key for values of several types: numbers first, then sizes of networks, then texts."""
    match value:
        case int() | float():
            return 0, value
        case [int(), *_]:
            return 1, value
    return 2, setting_text(value)
