"""Shell completion: what the Tab key offers, in bash, zsh and fish."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from conftest import Command

from mnist_nn.configuration.schema import Config, Section

NN = Path(sysconfig.get_path("scripts")) / "nn"


def offered(*words: str) -> list[str]:
    """What Tab offers for the last word, as click hands it to bash: kind,value."""
    environment = {**os.environ, "_NN_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words)}
    environment["COMP_CWORD"] = str(len(words) - 1)
    result = subprocess.run([NN], env=environment, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return result.stdout.split()


def test_a_config_completes_to_the_recipes() -> None:
    assert offered("nn", "train", "si") == ["plain,simard", "plain,simard-cross-entropy"]
    assert "plain,quickstart" in offered("nn", "config", "")


def test_a_file_completes_where_no_recipe_fits() -> None:
    assert offered("nn", "train", "./mine") == ["file,./mine"]


def test_a_run_completes_to_the_newest_runs_first(nn: Command, small: Path) -> None:
    for name in ("b", "a"):
        assert nn("train", small, "--run-dir", f"runs/{name}", "--quiet").code == 0
    os.utime("runs/b", (1, 1))
    assert offered("nn", "evaluate", "") == ["plain,runs/a", "plain,runs/b"]
    assert offered("nn", "inspect-gradients", "runs/b") == ["plain,runs/b"]
    assert offered("nn", "train", "--resume", "runs/") == ["plain,runs/a", "plain,runs/b"]


def test_a_key_completes_with_its_equals_sign() -> None:
    assert offered("nn", "train", "--set", "training.l") == ["plain,training.learning_rate=", "plain,training.l2="]


def keys(section: type[Section]) -> list[str]:
    """All keys of a section of the configuration, with those of its sections."""
    found = []
    for name, field in section.model_fields.items():
        inner = field.annotation
        is_section = isinstance(inner, type) and issubclass(inner, Section)
        found += [f"{name}.{key}" for key in keys(inner)] if is_section else [name]
    return found


def test_the_completed_keys_are_those_of_the_schema() -> None:
    from nn_cli.completion import KEYS

    assert sorted(KEYS) == sorted(keys(Config))


def test_bash_itself_completes() -> None:
    """In bash, no space follows KEY=."""
    line = f'eval "$(_NN_COMPLETE=bash_source {NN})"; compopt() {{ echo "compopt" "$1" "$2"; }}; '
    ask = "COMP_WORDS=(nn config --set seed); COMP_CWORD=3; _nn_completion " + str(NN) + '; echo "${COMPREPLY[*]}"'
    result = subprocess.run(["bash", "-c", line + ask], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert result.stdout == "compopt -o nospace\nseed=\n"


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_other_shells_are_read(shell: str, tmp_path: Path) -> None:
    """Without the shell, only that there is a script."""
    environment = {**os.environ, "_NN_COMPLETE": f"{shell}_source"}
    script = subprocess.run([NN], env=environment, capture_output=True, text=True, check=True).stdout
    assert "_NN_COMPLETE" in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        assert subprocess.run([shell, "-n", tmp_path / "script"], check=False).returncode == 0
