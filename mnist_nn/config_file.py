"""Configuration as YAML 1.2: read with line numbers, overridden by KEY=VALUE, validated."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from .config import Config
from .config_errors import Keys, explain, quote, shorten
from .errors import ConfigError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10


def read_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply overrides such as "training.epochs=5". Raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1024} KB; is it a configuration?")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8 text; a configuration is a YAML file") from None
    return parse_config(text, str(path), overrides)


def parse_config(text: str, name: str, overrides: Sequence[str] = ()) -> Config:
    """The same, from the text itself; `name` stands for it in errors."""
    values, lines = _load_yaml(text, name)
    if values is None:
        raise ConfigError(f"{name}: is empty; `nn config` prints a complete configuration to start from")
    if not isinstance(values, dict):
        raise ConfigError(f"{name}: must be a mapping of keys such as `seed: 0`, not {quote(values)}")
    places = {path: f"{name}:{line}" for path, line in lines.items()}
    for override in overrides:
        path, value = _parse_override(override)
        _set(values, path, value, override)
        for given in [known for known in places if known[: len(path)] == path]:
            del places[given]  # what stood there in the file is replaced
        places[path] = f"--set {shorten(override)}"
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error.errors(), values, places, name)) from None


def _load_yaml(text: str, name: str) -> tuple[Any, dict[Keys, int]]:
    """The plain values, and the line on which each of them stands."""
    yaml = YAML(typ="safe", pure=True)
    try:
        depth = 0
        for event in yaml.parse(text):
            depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise ConfigError(f"{name}:{event.start_mark.line + 1}: nested more than {MAX_DEPTH} deep")
            if isinstance(event, AliasEvent):
                line = event.start_mark.line + 1
                raise ConfigError(f"{name}:{line}: *{event.anchor}: YAML aliases are not supported; repeat the value")
        root = yaml.compose(text)
        lines: dict[Keys, int] = {}
        if root is not None:
            _collect_lines(root, (), lines)
        return yaml.load(text), lines
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        problem = " ".join(str(error.problem or error.context or "").split())
        raise ConfigError(f"{place}: not valid YAML: {problem}") from None
    except YAMLError as error:
        raise ConfigError(f"{name}: not valid YAML: {' '.join(str(error).split())}") from None
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError) as error:
        # what the constructors of YAML's own types raise for a value that is none
        raise ConfigError(f"{name}: holds a value that cannot be read: {' '.join(str(error).split())}") from None


def _collect_lines(node: Node, path: Keys, lines: dict[Keys, int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, MappingNode):
        for key, value in node.value:
            name = int(key.value) if key.tag == "tag:yaml.org,2002:int" else str(key.value)
            lines[(*path, name)] = key.start_mark.line + 1
            _collect_lines(value, (*path, name), lines)
    elif isinstance(node, SequenceNode):
        for i, value in enumerate(node.value):
            _collect_lines(value, (*path, i), lines)


def _parse_override(override: str) -> tuple[Keys, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {shorten(override)}: needs the form KEY=VALUE, such as training.epochs=5")
    value, _ = _load_yaml(text, f"--set {shorten(override)}")
    return tuple(int(part) if part.isdecimal() else part for part in key.strip().split(".")), value


def _set(values: Any, path: Keys, value: Any, override: str) -> None:
    for i, key in enumerate(path[:-1]):
        if isinstance(values, dict):
            values.setdefault(key, {})
        values = _inside(values, path[:i], key, override)[key]
    _inside(values, path[:-1], path[-1], override)[path[-1]] = value


def _inside(values: Any, path: Keys, key: str | int, override: str) -> Any:
    """`values` itself, if it can hold such a key."""
    if isinstance(values, dict) or (isinstance(values, list) and isinstance(key, int) and key < len(values)):
        return values
    place = ".".join(map(str, path))
    raise ConfigError(f"--set {shorten(override)}: {place} is not a section that holds {key}")
