"""Write configurations as YAML, each key with its allowed values."""

import io
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter

from .messages import model_of
from .schema import Config

COMMENT_COLUMN = 28


class _WithNull(RoundTripRepresenter):
    """Writes None as the word null. The base class would write nothing."""


_WithNull.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def to_yaml(config: Config) -> str:
    """The complete configuration as YAML. Each key has its description, and each row of numbers one line."""
    yaml = YAML()
    yaml.Representer = _WithNull
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_commented(config.plain(), Config), stream)
    return stream.getvalue()


def _commented(value: Any, model: type[BaseModel] | None) -> Any:
    """The values as types of `ruamel.yaml`, with descriptions as comments and each innermost list on one line."""
    if isinstance(value, dict):
        mapping = CommentedMap()
        for key, inner in value.items():
            mapping[key] = _commented(inner, model_of(model, key))
            description = model.model_fields[key].description if model and key in model.model_fields else None
            if description and not isinstance(inner, dict) and not _is_nested(inner):
                mapping.yaml_add_eol_comment(description, key, column=COMMENT_COLUMN)
        return mapping
    if isinstance(value, list):
        sequence = CommentedSeq(_commented(inner, None) for inner in value)
        if not _is_nested(value):
            sequence.fa.set_flow_style()
        return sequence
    return value


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(inner, list) for inner in value)
