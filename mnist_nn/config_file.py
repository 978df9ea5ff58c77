"""Configuration as YAML 1.2: read with line numbers, overridden by KEY=VALUE, validated, written back."""

import difflib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.representer import RoundTripRepresenter

from .config import Config
from .errors import ConfigError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10
COMMENT_COLUMN = 28
RANGE_ERRORS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")

Keys = tuple[str | int, ...]  # where a value stands: ("training", "epochs")


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
        raise ConfigError(f"{name}: must be a mapping of keys such as `seed: 0`, not {_quote(values)}")
    places = {path: f"{name}:{line}" for path, line in lines.items()}
    for override in overrides:
        path, value = _parse_override(override)
        _set(values, path, value, override)
        for given in [known for known in places if known[: len(path)] == path]:
            del places[given]  # what stood there in the file is replaced
        places[path] = f"--set {_shorten(override)}"
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error.errors(), values, places, name)) from None


class _WithNull(RoundTripRepresenter):
    """Writes None as the word null; its base leaves the place empty."""


_WithNull.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def to_yaml(config: Config) -> str:
    """The complete configuration as YAML, each key with its description, rows of numbers on one line each."""
    yaml = YAML()
    yaml.Representer = _WithNull
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_commented(config.plain(), Config), stream)
    return stream.getvalue()


def _commented(value: Any, model: type[BaseModel] | None) -> Any:
    """Values as `ruamel.yaml` keeps them with comments and a style: innermost lists in one line."""
    if isinstance(value, dict):
        mapping = CommentedMap()
        for key, inner in value.items():
            mapping[key] = _commented(inner, _model_of(model, key))
            description = model.model_fields[key].description if model and key in model.model_fields else None
            if description and not isinstance(inner, dict | list):
                mapping.yaml_add_eol_comment(description, key, column=COMMENT_COLUMN)
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(_commented(inner, None) for inner in value)
        if not any(isinstance(inner, list) for inner in value):
            sequence.fa.set_flow_style()
        return sequence
    return value


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
    except (
        ValueError,
        OverflowError,
        LookupError,
        TypeError,
        AttributeError,
    ) as error:  # of the constructors of values
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
        raise ConfigError(f"--set {_shorten(override)}: needs the form KEY=VALUE, such as training.epochs=5")
    value, _ = _load_yaml(text, f"--set {_shorten(override)}")
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
    raise ConfigError(f"--set {_shorten(override)}: {place} is not a section that holds {key}")


def _explain(errors: list[ErrorDetails], values: Any, places: dict[Keys, str], name: str) -> str:
    """One line for the first error: place, key, value, reason, way out."""
    error = errors[0]
    path = _path_in(values, error["loc"], error["type"])
    place = next((places[path[:i]] for i in range(len(path), -1, -1) if path[:i] in places), name)
    key = ".".join(map(str, path))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if error["type"] == "extra_forbidden":
        known = _keys_at(path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        way_out = f"did you mean {near[0]}?" if near else f"the keys here are {', '.join(known)}"
        return f"{place}: {_escape(key)}: unknown key; {way_out}{more}"
    if error["type"] == "missing":
        return f"{place}: {key}: is missing{more}"
    if error["type"] == "value_error":  # raised by a validator of ours: it names the keys itself
        return f"{place}: {f'{key}: ' if key else ''}{error['ctx']['error']}{more}"
    reason = error["msg"].replace("Input should be", "must be")
    if error["type"] in ("model_type", "dict_type"):
        reason = "must be a mapping of keys"
    elif allowed := _permitted_range(path):
        reason = f"must be {allowed}" if error["type"] in RANGE_ERRORS else f"{reason}, {allowed}"
    elif error["type"] in ("literal_error", "list_type") and (description := _description(path)):
        reason += f" ({description})"
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        known = [word.strip("'") for word in error["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        if near := difflib.get_close_matches(error["input"], known, n=1, cutoff=0.5):
            reason += f"; did you mean {near[0]}?"
    return f"{place}: {key}: {_quote(error['input'])}: {reason}{more}"


def _path_in(values: Any, loc: Keys, kind: str) -> Keys:
    """`loc` without the tags that pydantic puts in for the members of a union."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        missing = kind == "missing" and i == len(loc) - 1
        there = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if there:
            values = values[part]
        if there or missing:
            path.append(part)
    return tuple(path)


def _keys_at(path: Keys) -> list[str]:
    model = _model_at(path)
    return list(model.model_fields) if model else []


def _model_at(path: Keys) -> type[BaseModel] | None:
    """The section that holds the keys below a path."""
    model: type[BaseModel] | None = Config
    for key in path:
        model = _model_of(model, key)
    return model


def _model_of(model: type[BaseModel] | None, key: str | int) -> type[BaseModel] | None:
    """The section that a key of another section holds, also as one of several possibilities."""
    field = model.model_fields.get(str(key)) if model else None
    if field is None:
        return None
    candidates = [field.annotation, *getattr(field.annotation, "__args__", ())]
    candidates += [getattr(candidate, "__origin__", None) for candidate in candidates]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _field_at(path: Keys) -> FieldInfo | None:
    model = _model_at(path[:-1]) if path else None
    return model.model_fields.get(str(path[-1])) if model else None


def _description(path: Keys) -> str | None:
    field = _field_at(path)
    return field.description if field else None


def _permitted_range(path: Keys) -> str:
    """Such as "≥ 0 and < 1", from the field's own declaration."""
    field = _field_at(path)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{sign} {getattr(item, name)}"
        for item in (field.metadata if field else [])
        for name, sign in signs.items()
        if getattr(item, name, None) is not None
    ]
    return " and ".join(bounds)


def _quote(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a huge number"
    return _shorten(text)


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"


def _escape(text: str) -> str:
    return text.encode("unicode_escape").decode() if not text.isprintable() else text
