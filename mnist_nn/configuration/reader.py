"""Read recipes and YAML 1.2 files: parse with line numbers, apply overrides KEY=VALUE, validate."""

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, Event
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from data_scripts.files import read_regular

from ..errors import ConfigError
from .messages import Keys, escape, explain, quote, shorten
from .recipes import recipe_names, recipe_text
from .schema import Config

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10


class _Constructor(SafeConstructor):
    """Adds the line number to errors about values that YAML cannot convert, such as numbers of thousands of digits."""

    def construct_object(self, node: Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError, LookupError, TypeError, AttributeError):
            kind = str(node.tag).rpartition(":")[2]
            raise ConstructorError(
                problem=f"{quote(node.value)} cannot be read as {kind}", problem_mark=node.start_mark
            ) from None


# YAML 1.2 knows no dates. As a date, the network 1024-10-10 would not be a text.
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


@dataclass(frozen=True)
class Override:
    """A value that replaces another. `place` says in errors where it was given."""

    keys: Keys
    value: Any
    place: str


def read_config(config: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a recipe or a YAML file, and apply overrides such as "training.epochs=5". Raises ConfigError.

    A text is the name of a recipe, or else the path of a file. A Path is always a file.
    """
    if isinstance(config, str) and config in recipe_names():
        return parse_config(recipe_text(config), f"recipe {config}", overrides)
    path = Path(config)
    try:
        text = read_text(path)
    except FileNotFoundError:
        if isinstance(config, Path):
            raise ConfigError(f"{path}: there is no such file") from None
        raise ConfigError(
            f"{path}: is neither a file nor a recipe; the recipes are {', '.join(recipe_names())}"
        ) from None
    return parse_config(text, str(path), overrides)


def read_text(path: Path) -> str:
    """The text of a YAML file. Raises FileNotFoundError where there is none, ConfigError where it cannot be read."""
    try:
        return read_regular(path, MAX_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8 text; a configuration is a YAML file") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        if getattr(error, "errno", None) == errno.EFBIG:
            raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} KB; is it a configuration?") from None
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def parse_config(text: str, name: str, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration given as text. `name` stands for the file in errors. Raises ConfigError."""
    values, lines = load_yaml(text, name)
    if values is None:
        raise ConfigError(f"{name}: is empty; `nn config` prints a complete configuration to start from")
    if not isinstance(values, dict):
        raise ConfigError(f"{name}: must be a mapping of keys such as `seed: 0`, not {quote(values)}")
    places = {path: f"{name}:{line}" for path, line in lines.items()}
    return _validated(values, places, name, [parse_override(override) for override in overrides])


def override(config: Config, name: str, overrides: Sequence[Override]) -> Config:
    """The configuration with other values. `name` stands for the configuration in errors. Raises ConfigError."""
    return _validated(config.plain(), {}, name, overrides)


def _validated(values: Any, places: dict[Keys, str], name: str, overrides: Sequence[Override]) -> Config:
    for each in overrides:
        path = each.keys
        _set(values, path, each.value, each.place)
        for given in [known for known in places if known[: len(path)] == path]:
            del places[given]  # the override replaces these values
        for n in range(1, len(path) + 1):  # the override may have made these sections
            places.setdefault(path[:n], each.place)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error.errors(), values, places, name)) from None


def read_value(text: str, place: str) -> Any:
    """The value that the YAML text of an option such as --set stands for. `place` is the option. Raises ConfigError."""
    return load_yaml(text, place)[0]


def load_yaml(text: str, name: str) -> tuple[Any, dict[Keys, int]]:
    """The values in the text, and the line number of each value."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    try:
        depth = 0
        for event in yaml.parse(text):
            place = f"{name}:{event.start_mark.line + 1}"
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ConfigError(f"{place}: nested more than {MAX_DEPTH} deep")
            if anchor := getattr(event, "anchor", None):
                mark = "*" if isinstance(event, AliasEvent) else "&"
                anchor = shorten(escape(anchor))
                raise ConfigError(
                    f"{place}: {mark}{anchor}: YAML anchors and aliases are not supported; repeat the value"
                )
            if tag := _explicit_tag(event):
                raise ConfigError(f"{place}: {tag}: YAML tags are not supported; leave it out")
            if isinstance(event, DocumentStartEvent) and event.version not in (None, (1, 2)):  # in 1.1 `no` means false
                raise ConfigError(f"{place}: only YAML 1.2 is read; leave the %YAML line out")
        root = yaml.compose(text)
        lines: dict[Keys, int] = {}
        if root is None:
            return None, lines
        _collect_lines(root, (), lines, name)
        return yaml.constructor.construct_document(root), lines
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark and not name.startswith("--") else name
        problem = " ".join(str(error.problem or error.context or "").split())
        raise ConfigError(f"{place}: not valid YAML: {shorten(problem, 200)}") from None
    except YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {shorten(' '.join(str(error).split()), 200)}") from None
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError):
        # the scanner raises these for an invalid escape or version
        raise ConfigError(f"{name}: not valid YAML: holds an escape or a number that cannot be read") from None


def _explicit_tag(event: Event) -> str:
    """The tag that is written before a value, such as !!int. Empty if there is none."""
    tag = str(getattr(event, "tag", None) or "")
    return shorten(escape(tag.replace("tag:yaml.org,2002:", "!!", 1)))


def _collect_lines(node: Node, path: Keys, lines: dict[Keys, int], file: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.tag == "tag:yaml.org,2002:merge":
                raise ConfigError(f"{file}:{line}: <<: YAML merge keys are not supported; write the keys out")
            is_int = key.tag == "tag:yaml.org,2002:int" and re.fullmatch("[0-9]{1,9}", key.value)
            name = int(key.value) if is_int else str(key.value)
            lines[(*path, name)] = line
            _collect_lines(value, (*path, name), lines, file)
    elif isinstance(node, SequenceNode):
        for i, value in enumerate(node.value):
            _collect_lines(value, (*path, i), lines, file)


def parse_override(text: str) -> Override:
    """Read an override such as "training.epochs=5". Raises ConfigError."""
    place = f"--set {shorten(escape(text))}"
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{place}: needs the form KEY=VALUE, such as training.epochs=5")
    return Override(parse_keys(key, place), read_value(value, place), place)


def parse_keys(key: str, place: str) -> Keys:
    """Read a key with its sections, such as "training.epochs". `place` says where it stands. Raises ConfigError."""
    parts = key.strip().split(".")
    if len(parts) > MAX_DEPTH:
        raise ConfigError(f"{place}: nested more than {MAX_DEPTH} deep")
    return tuple(int(part) if re.fullmatch("[0-9]{1,9}", part) else part for part in parts)


def _set(values: Any, path: Keys, value: Any, place: str) -> None:
    for i, key in enumerate(path[:-1]):
        if isinstance(values, dict):
            values.setdefault(key, {})
        values = _require_section(values, path[:i], key, place)[key]
    _require_section(values, path[:-1], path[-1], place)[path[-1]] = value


def _require_section(values: Any, path: Keys, key: str | int, place: str) -> Any:
    """Return `values` if it can hold this key. Raises ConfigError otherwise."""
    if isinstance(values, dict) or (isinstance(values, list) and isinstance(key, int) and key < len(values)):
        return values
    section = shorten(escape(".".join(map(str, path))))
    raise ConfigError(f"{place}: {section} is not a section that holds {shorten(escape(str(key)))}")
