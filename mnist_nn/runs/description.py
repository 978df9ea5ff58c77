"""run.json: what a run is and how it stands, checked when it is read."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data_scripts.files import read_regular, write_atomically

from ..configuration.messages import first_problem, shorten
from ..configuration.schema import Config
from ..errors import RunError

MAX_BYTES = 1 << 20

Status = Literal["running", "interrupted", "finished", "diverged"]


class RunDescription(BaseModel):
    """The keys of run.json that a command relies on. All may be missing, and others may be there."""

    model_config = ConfigDict(extra="allow", strict=True)

    recipe: str = Field("run", min_length=1, max_length=4096)
    number: int = Field(0, ge=0, lt=2**53)
    started: str = ""
    status: Status = "running"
    epochs: int = Field(0, ge=0)
    versions: dict[str, str] = {}
    machine: dict[str, str | int | None] = {}
    data: dict[str, str | int] = {}
    fingerprint: str = ""
    config: dict[str, Any] | None = None  # as `recorded` gives it; checked by whoever uses it

    @field_validator("recipe")
    @classmethod
    def _recipe_is_printable(cls, recipe: str) -> str:
        if not recipe.isprintable():
            raise ValueError("must be printable")
        return recipe


def read_description(file: Path) -> dict[str, Any]:
    """The content of a run.json. Raises RunError where it cannot be read, or does not describe a run."""
    try:
        content = read_regular(file, MAX_BYTES)
        RunDescription.model_validate_json(content)
        description: dict[str, Any] = json.loads(content)
    except OSError as error:
        raise RunError(f"{file}: cannot be read: {error.strerror or error}") from None
    except ValidationError as error:
        raise RunError(f"{file}: does not describe a run: {first_problem(error)}") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{file}: does not describe a run: {shorten(str(error), 200)}") from None
    return description


def recorded(config: Config) -> dict[str, Any]:
    """The complete configuration as run.json holds it: JSON values under the keys of config.yaml."""
    return config.model_dump(mode="json")


def write_description(file: Path, description: dict[str, Any]) -> None:
    """Replace a run.json. Raises OSError."""
    write_atomically(file, (json.dumps(description, indent=2) + "\n").encode())
