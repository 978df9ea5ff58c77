"""A run with any name in any place is created or refused in one line, with no harm to the terminal."""

import json
import os
import shutil
import subprocess
import sysconfig
from importlib.metadata import requires
from pathlib import Path

import pytest
from conftest import Command

SCRIPT = Path(sysconfig.get_path("scripts")) / "nn"
LONGEST = "n" * 255
DEEP = "/".join(["d" * 99] * 40)  # 3,999 bytes of the 4,095 that Linux allows for a path


def in_bash(command: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command line in bash, with the installed `nn`, as a user would type it."""
    path = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(["bash", "-c", command], capture_output=True, env={**os.environ, "PATH": path}, check=False)


def make_links() -> None:
    Path("directory").mkdir()
    Path("link").symlink_to("directory")
    Path("nowhere").symlink_to("gone")
    Path("file").write_text("")


@pytest.mark.parametrize(
    "name",
    [
        "with spaces", "-dash", "--quiet", "quo'te", 'quo"te', "$HOME `date` \\ !", "σ′", "no/such/parents", "one/../other", "link/run", LONGEST,
        "new\nline", "\x1b[31mred", "bell\x07", "\u202eright to left", "tab\t", "non\udcffutf\udcc3", "\udcff'\x1b\\$HOME",
    ],
)  # fmt: skip
def test_a_run_may_have_any_name(name: str, nn: Command) -> None:
    """Bash reads the name back from the command that is printed."""
    make_links()
    outcome = nn("train", "chain", "--run-dir", name)
    assert outcome.code == 0
    assert Path(name, "run.json").is_file()
    for line in (outcome.out + outcome.err).splitlines():
        assert line.isprintable()
    (suggested,) = (line.removeprefix("next").strip() for line in outcome.out.splitlines() if line.startswith("next"))
    program = f'nn() {{ printf "%s\\0" "$@"; }}; {suggested}'  # how bash splits it into words
    words = subprocess.run(["bash", "-c", program], capture_output=True, check=True).stdout.split(b"\0")
    assert words[0] == b"evaluate"
    assert os.path.normpath(words[1]) == os.path.normpath(os.fsencode(name))
    assert nn("evaluate", os.fsdecode(words[1]), "--split", "train").code == 0
    assert nn("train", "--resume", name).err.count("\n") == 1


REFUSED = [
    ("directory", "directory: exists already, and a run is never overwritten; choose another --run-dir"),
    ("link", "link: exists already, and a run is never overwritten; choose another --run-dir"),
    ("nowhere", "nowhere: exists already, and a run is never overwritten; choose another --run-dir"),
    ("file", "file: exists already, and a run is never overwritten; choose another --run-dir"),
    ("directory/..", "directory/..: exists already, and a run is never overwritten"),
    ("", ".: exists already, and a run is never overwritten"),
    ("nowhere/run", "nowhere/run: the run directory cannot be made: nowhere: is not a directory; choose another with --run-dir"),
    ("/".join("d" * 1100), "the run directory cannot be made: it is nested too deep; choose another with --run-dir"),
    ("file/run", "file/run: the run directory cannot be made: file: is not a directory; choose another with --run-dir"),
    (LONGEST + "n", f"{LONGEST}n: the run directory cannot be made: File name too long; choose another with --run-dir"),
    ("\x1b[31m" + LONGEST, f"\\x1b[31m{LONGEST}: the run directory cannot be made: File name too long"),
    (f"{DEEP}/{LONGEST}", f"{DEEP}/{LONGEST}: the run directory cannot be made: File name too long"),
    (f"{DEEP}/{'n' * 90}", f"{DEEP}/{'n' * 90}: the run directory cannot be made: File name too long"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected"), REFUSED, ids=[name[:20] for name, _ in REFUSED])
def test_an_impossible_run_directory_is_refused_in_one_line(name: str, expected: str, nn: Command) -> None:
    make_links()
    outcome = nn("train", "chain", "--run-dir", name)
    assert outcome.code == 1
    assert expected in outcome.error
    assert outcome.error.isprintable()
    assert len(outcome.err.splitlines()) == 1
    assert list(Path("directory").iterdir()) == []
    assert not list(Path.cwd().rglob("run.json"))


@pytest.mark.parametrize("command", [["train", "--resume"], ["train"], ["evaluate"]], ids=" ".join)
@pytest.mark.parametrize("name", ["no\nwhere", "\x1b[31m", "\udcff", LONGEST + "n", "nowhere", "file/run", "link"])
def test_a_path_that_is_not_a_run_is_refused(name: str, command: list[str], nn: Command) -> None:
    """The error is one printable line, whatever the name is."""
    make_links()
    outcome = nn(*command, name)
    assert outcome.code in (1, 2)
    assert outcome.error.isprintable()
    assert len(outcome.err.splitlines()) == 1


def test_a_linked_lock_leaves_its_target_alone(nn: Command) -> None:
    """Older versions of filelock follow the link and empty the file."""
    assert "filelock>=3.20.1" in (requires("mnist-nn") or [])
    nn("train", "chain", "--quiet", "--run-dir", "run")
    Path("precious").write_text("my notes")
    Path("run/.lock").unlink(missing_ok=True)
    Path("run/.lock").symlink_to("../precious")
    outcome = nn("train", "--resume", "run")
    assert Path("precious").read_text() == "my notes"
    assert outcome.code == 0 or outcome.error


def test_names_that_are_not_utf_8_survive_the_shell() -> None:
    Path(os.fsdecode(b"d\xff\n")).mkdir()
    done = in_bash(r"cd $'d\xff\n' && nn train chain --run-dir $'r\xff\e[31m' && nn train --resume $'r\xff\e[31m'")
    assert done.returncode == 0
    assert b"nn evaluate $'r\\xff\\x1b\\x5b31m'\n" in done.stdout
    assert all(line.decode().isprintable() for line in (done.stdout + done.stderr).splitlines())


def test_a_recipe_may_have_any_name(nn: Command) -> None:
    """Its run is named after it."""
    name = os.fsdecode(b"c\xff\n\x1b[1m.yaml")
    Path(name).write_bytes(nn("config", "chain").out.encode())
    outcome = nn("train", name)
    assert outcome.code == 0
    assert all(line.isprintable() for line in (outcome.out + outcome.err).splitlines())
    (run,) = Path("runs").iterdir()
    assert run.name.startswith(name.removesuffix(".yaml"))
    assert all(line.isprintable() for line in (nn("evaluate", "--split", "train").err).splitlines())


@pytest.mark.parametrize(
    ("command", "code", "expected"),
    [
        ("env -u HOME -u NN_DATA_DIR nn train chain --quiet", 0, ""),
        ("HOME=/nonexistent nn train chain --quiet", 0, ""),
        ("mkdir gone && cd gone && rmdir ../gone && nn train chain", 1, "the run directory cannot be made: runs: No such file or directory; choose another with --run-dir"),
        ("top=$PWD; mkdir gone && cd gone && rmdir ../gone && nn train chain --quiet --run-dir $top/run", 0, ""),
        ("mkdir gone && cd gone && rmdir ../gone && nn train --data-dir data", 2, "data.dir: data: is relative, but the working directory is unknown: No such file or directory; give an absolute path"),
        (r"mkdir $'d\xff' && cd $'d\xff' && nn train quickstart --data-dir data", 2, r"\udcff/data': has characters that a configuration cannot hold"),
    ],
)  # fmt: skip
def test_a_missing_home_or_working_directory_is_handled(command: str, code: int, expected: str) -> None:
    """The command works, or says in one line what it lacks."""
    done = in_bash(command)
    said = done.stderr.decode()
    assert done.returncode == code, said
    assert len(said.splitlines()) == (code != 0)
    assert expected in said


@pytest.mark.parametrize("recipe", ["..", ".h", "/", "."])
def test_a_run_is_never_hidden_by_its_name(recipe: str, nn: Command) -> None:
    assert nn("train", "chain", "--quiet", "--run-dir", "r", "--set", "training.epochs=1").code == 0
    file = Path("r/run.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"recipe": recipe}))
    shutil.copy("r/config.yaml", ".hidden.yaml")
    for config in ("r/config.yaml", ".hidden.yaml"):
        assert nn("train", config, "--quiet").code == 0
        assert nn("evaluate", "--split", "train").code == 0
    assert len([path for path in Path("runs").iterdir() if not path.name.startswith(".")]) == 2
