"""Plans as YAML files: the plans of users, the plans that are installed with this package, and the plan of a sweep."""

import difflib
import hashlib
import io
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML

from ..configuration.messages import Keys, escape, first_problem, shorten
from ..configuration.reader import load_yaml, read_text
from ..errors import ConfigError
from .plan import Plan

HEADER = """\
# The plan of a sweep, as `nn sweep` began it. `nn sweep --resume` needs it unchanged.
# For another sweep like it, change a copy: nn sweep --plan COPY.yaml
"""
DIGEST = "digest"  # of everything else in the plan of a sweep


def plan_names() -> list[str]:
    """The sorted names of the installed plans."""
    names = (file.name for file in (files("nn_configs") / "plans").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def read_plan(plan: str | Path) -> Plan:
    """Read an installed plan or a YAML file. The plan of a sweep may have been changed. Raises ConfigError."""
    if isinstance(plan, str) and plan in plan_names():
        return _parse((files("nn_configs") / "plans" / f"{plan}.yaml").read_text(encoding="utf-8"), f"plan {plan}")
    try:
        return _parse(read_text(Path(plan)), str(plan))
    except FileNotFoundError:
        raise ConfigError(f"{plan}: is neither a file nor a plan; the plans are {', '.join(plan_names())}") from None


def read_unchanged(file: Path) -> Plan:
    """Read the plan of a sweep. Raises ConfigError also where it was changed, FileNotFoundError where there is none."""
    text = read_text(file)
    plan, (values, _) = _parse(text, str(file)), load_yaml(text, str(file))
    if values.get(DIGEST) != _digest(_plain(plan)):
        raise ConfigError(
            f"{file}: was changed since the sweep began; restore it, or start another sweep with "
            f"`nn sweep --plan {file} --name NAME`"
        )
    return plan


def plan_text(plan: Plan) -> str:
    """A plan with complete configurations as YAML, with a digest, for `read_unchanged`."""
    values = _plain(plan)
    yaml, stream = YAML(), io.StringIO()
    yaml.width = 10_000
    yaml.default_flow_style = None  # each innermost list on one line
    yaml.dump({**values, DIGEST: _digest(values)}, stream)
    return HEADER + stream.getvalue()


def _plain(plan: Plan) -> dict[str, Any]:
    configs = {name: config.plain() for name, config in plan.configs.items()}
    return {**plan.model_dump(exclude_defaults=True), "seeds": plan.seeds, "order": plan.order, "configs": configs}


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _parse(text: str, name: str) -> Plan:
    values, lines = load_yaml(text, name)
    if not isinstance(values, dict):
        raise ConfigError(f"{name}: must be a mapping of keys such as `config: mnist`")
    values.pop(DIGEST, None)
    try:
        return Plan.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_explain(error, lines, name)) from None


def _explain(error: ValidationError, lines: dict[Keys, int], name: str) -> str:
    (first, *_) = error.errors(include_url=False)
    path = first["loc"]
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)
    if first["type"] == "missing":
        return f"{name}: {'.'.join(map(str, path))}: is missing"
    if first["type"] == "extra_forbidden" and len(path) == 1:
        key = str(path[0])
        near = difflib.get_close_matches(key.lower(), Plan.model_fields, n=1)
        way_out = f"did you mean {near[0]}?" if near else f"the keys of a plan are {', '.join(Plan.model_fields)}"
        return f"{name}:{line}: {shorten(escape(key))}: unknown key; {way_out}"
    return f"{name}:{line}: {first_problem(error)}"
