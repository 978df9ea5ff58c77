"""One-line messages for pydantic's errors about a configuration: the place, the key, the value, and what to do."""

import difflib
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from .schema import Config

Keys = tuple[str | int, ...]  # where a value stands: ("training", "epochs")

RANGE_ERRORS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal")

# What other programs and books call a key
SYNONYMS = {
    **dict.fromkeys(("lr", "eta", "η", "step_size"), "training.learning_rate"),
    **dict.fromkeys(("batch", "batchsize", "minibatch", "mini_batch_size"), "training.batch_size"),
    **dict.fromkeys(("weight_decay", "decay", "lambda", "lmbda"), "training.l2"),
    **dict.fromkeys(("layers", "hidden", "neurons", "units"), "network.sizes"),
    **dict.fromkeys(("loss", "criterion"), "cost"),
    "precision": "dtype",
}


def explain(errors: list[ErrorDetails], values: Any, places: dict[Keys, str], name: str) -> str:
    """Describe the first error in one line.

    `places` maps the path of each value to the place where it was given. `name` is the name of the whole configuration.
    """
    error = errors[0]
    path = _path_in(values, error["loc"], error["type"])
    place = next((places[path[:i]] for i in range(len(path), -1, -1) if path[:i] in places), name)
    key = ".".join(map(str, path))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if error["type"] == "extra_forbidden":
        meant = _meant(path)
        way_out = f"did you mean {meant}?" if meant else f"the keys here are {', '.join(_keys_at(path[:-1]))}"
        return f"{place}: {shorten(escape(key)) or quote(key)}: unknown key; {way_out}{more}"
    if error["type"] == "invalid_key":
        known = _keys_at(_path_in(values, error["loc"][:-1], ""))
        return f"{place}: {quote(error['input'])}: is not a key; the keys here are {', '.join(known)}{more}"
    if error["type"] == "missing":
        return f"{place}: {key}: is missing{more}"
    if error["type"] == "value_error":  # raised by a validator of ours, whose message names the keys
        named = tuple(str(error["ctx"]["error"]).partition(": ")[0].split("."))
        place = places.get(named, places.get((*path, *named), place))
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
    return f"{place}: {f'{shorten(escape(key))}: ' if key else ''}{quote(error['input'])}: {reason}{more}"


def _path_in(values: Any, loc: Keys, kind: str) -> Keys:
    """The path `loc` without the tags that pydantic inserts for the members of a union."""
    path: list[str | int] = []
    for i, part in enumerate(loc):
        missing = kind == "missing" and i == len(loc) - 1
        there = (isinstance(values, dict) and part in values) or (isinstance(values, list) and isinstance(part, int))
        if there:
            values = values[part]
        if there or missing:
            path.append(part)
    return tuple(path)


def _meant(path: Keys) -> str:
    """The key that was probably meant by an unknown one, with its sections. Empty if none is near."""
    word = str(path[-1]).lower().replace("-", "_")
    every = list(_dotted_keys(Config))
    last = {dotted: dotted.rpartition(".")[2] for dotted in every}
    if same := [dotted for dotted in every if last[dotted] == word]:
        return " or ".join(same)
    if word in SYNONYMS:
        return SYNONYMS[word]
    section = ".".join(map(str, path[:-1]))
    here = {key: f"{section}.{key}".lstrip(".") for key in _keys_at(path[:-1])}
    anywhere = {last[dotted]: dotted for dotted in every} | {dotted: dotted for dotted in every}
    for known, cutoff in ((here, 0.75), (anywhere, 0.75), (here, 0.5)):
        if near := difflib.get_close_matches(word, known, n=1, cutoff=cutoff):
            return known[near[0]]
    return ""


def _dotted_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of a section and the sections in it, such as training.epochs."""
    for key in model.model_fields:
        yield f"{prefix}{key}"
        if section := model_of(model, key):
            yield from _dotted_keys(section, f"{prefix}{key}.")


def _keys_at(path: Keys) -> list[str]:
    model = _model_at(path)
    return list(model.model_fields) if model else []


def _model_at(path: Keys) -> type[BaseModel] | None:
    """The section at a path, or None."""
    model: type[BaseModel] | None = Config
    for key in path:
        model = model_of(model, key)
    return model


def model_of(model: type[BaseModel] | None, key: str | int) -> type[BaseModel] | None:
    """The section that a key of `model` holds, even if the key also allows other types. None if it holds no section."""
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
    """The allowed range that a field declares, such as "≥ 0 and < 1"."""
    field = _field_at(path)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{sign} {getattr(item, name)}"
        for item in (field.metadata if field else [])
        for name, sign in signs.items()
        if getattr(item, name, None) is not None
    ]
    return " and ".join(bounds)


def quote(value: Any) -> str:
    """A value in Python's notation, shortened, for a message."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a huge number"
    return shorten(text)


def first_problem(error: ValidationError, *section: str) -> str:
    """The place, the value and the reason of the first error in a file that `nn` wrote, in one line.

    `section` is where in the file the checked values stand.
    """
    (first, *_) = error.errors(include_url=False)
    place = shorten(escape(".".join(map(str, (*section, *first["loc"])))))
    found = f"{place}: {quote(first['input'])}: " if place else ""
    return f"{found}{shorten(first['msg'], 200)}"


def shorten(text: str, length: int = 60) -> str:
    """The text cut to `length` characters, with … at the cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


def escape(text: str) -> str:
    """The text with invisible characters shown as Python's escapes."""
    return text.encode("unicode_escape").decode() if not text.isprintable() else text
