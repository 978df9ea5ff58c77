"""Any input bytes get a correct result or one clear line of error, and only the project's own errors are raised.

`fuzz/run.py` is the long, coverage-guided run of the same targets.
"""

import atexit
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Command
from fuzz.targets import CONFIG, TARGETS, crafted, fuzz_checkpoint, fuzz_config, fuzz_digits, fuzz_idx, fuzz_run, seeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_scripts.idx import read_idx
from mnist_nn import initial_state, load_checkpoint, read_config, save_checkpoint

DIRECTORY = Path(tempfile.mkdtemp())  # for the properties: a fixture cannot be created for each example
atexit.register(shutil.rmtree, DIRECTORY, ignore_errors=True)
properties = settings(
    derandomize=True, database=None, deadline=None, max_examples=400, suppress_health_check=list(HealthCheck)
)


@st.composite
def mutated(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """A valid input after a few deletions, repetitions, bit flips, cuts, and insertions of special strings."""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(1, max(1, len(content))))
        end = start + draw(st.integers(0, 8))
        kind = draw(st.sampled_from(["flip", "delete", "repeat", "insert", "cut"]))
        if kind == "flip" and start < len(content):
            content[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "delete":
            del content[start:end]
        elif kind == "repeat":
            content[start:start] = content[start:end] * draw(st.integers(1, 5))
        elif kind == "insert":
            content[start:start] = draw(st.sampled_from(SPECIAL) | st.binary(max_size=8))
        else:
            del content[start:]
    return bytes(content)


SPECIAL = [
    text.encode("utf-8", "surrogatepass")
    for text in (
        *"\0\t\x1b\x7f\x85\x9b\ufeff\u202e\u200b\u2028\ud800",
        *("&a ", "*a", "<<: {seed: 1}", "!!python/name:os.system ", "!!binary ", "!!set ", "!!int ", "!!float ", "!!bool "),
        *("!!timestamp ", "!!omap ", "? ", "- ", "|\n", ">-\n", "%YAML 1.1\n---\n", "---\n", "...\n", "{", "[", "'", '"'),
        *(".nan", "-.inf", "1e999", "-1", "0x1F", "0o7", "1_0", "9" * 5000, "2020-99-99", "NaN", "Infinity", "true", "null"),
        *('"\\ud800"', "\\U00110000", "=", ",", "[[[[[[[[[[[[", "é"),
    )
]  # fmt: skip
KEYS = [
    "seed",
    "dtype",
    "data",
    "network",
    "cost",
    "training",
    "source",
    "inputs",
    "targets",
    "sizes",
    "init",
    "w",
    "b",
]
KEYS += [
    "augmentation",
    "elastic",
    "sigma",
    "alpha",
    "rotation",
    "warmup",
    "activation",
    "epochs",
    "batch_size",
    "momentum",
    "schedule",
    "name",
    "every",
    "learning_rate",
    "validation",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["~", "no", "0b1", "!!int x", "*a", "&a 1", "<<", "=", "|", "2020-01-01", "sigmoid", "inline", "step"]
    )
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def in_flow_style(value: Any) -> str:
    """Approximate YAML: strings are written as they are, whether they need quotes or not."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {in_flow_style(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(in_flow_style, value)) + "]"
    return "null" if value is None else str(value)


def as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("target", TARGETS)
def test_every_fuzz_seed_is_valid(target: str, tmp_path: Path) -> None:
    assert {TARGETS[target](seed, tmp_path) for seed in seeds(target, tmp_path)} == {"read"}


@properties
@given(st.binary(max_size=300))
def test_the_idx_reader_survives_any_bytes(content: bytes) -> None:
    fuzz_idx(content, DIRECTORY)


@properties
@given(mutated(seeds("idx", DIRECTORY)))
def test_the_idx_reader_survives_mutated_files(content: bytes) -> None:
    """The files are plain or compressed."""
    fuzz_idx(content, DIRECTORY)


@properties
@given(st.integers(0, 3), st.lists(st.integers(0, 6) | st.integers(0, 2**32 - 1), max_size=4), st.binary(max_size=60))
def test_the_idx_reader_survives_any_declared_shape(choice: int, shape: list[int], content: bytes) -> None:
    declared = b"".join(n.to_bytes(4, "big") for n in shape)
    fuzz_idx(bytes([choice, 0, 0, 8, len(shape)]) + declared + content, DIRECTORY)


@properties
@given(st.text(max_size=100))
def test_the_configuration_loader_survives_any_text(text: str) -> None:
    fuzz_config(b"\0" + as_bytes(text), DIRECTORY)


@properties
@given(values)
def test_the_configuration_loader_survives_any_structure(value: Any) -> None:
    fuzz_config(b"\0" + as_bytes(in_flow_style(value)), DIRECTORY)


@properties
@given(mutated([seed for seed in seeds("config", DIRECTORY) if seed[0] == 0]))
def test_the_configuration_loader_survives_mutated_recipes(content: bytes) -> None:
    fuzz_config(b"\0" + content[1:], DIRECTORY)


@properties
@given(
    st.lists(st.sampled_from([*KEYS, "0", "1", "-1", "9" * 5000, "²", "٣"]) | st.text(max_size=4), max_size=5),
    values.map(in_flow_style),
)
def test_the_configuration_loader_survives_any_override(path: list[str], value: str) -> None:
    fuzz_config(b"\1" + as_bytes(f"{'.'.join(path)}={value}"), DIRECTORY)


@properties
@given(mutated(seeds("run", DIRECTORY)))
def test_the_readers_of_a_run_survive_damaged_files(content: bytes) -> None:
    fuzz_run(content, DIRECTORY)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(mutated(seeds("digits", DIRECTORY)))
def test_a_damaged_cache_of_digits_is_drawn_again(content: bytes) -> None:
    fuzz_digits(content, DIRECTORY)


@properties
@given(mutated([seed for seed in seeds("checkpoint", DIRECTORY) if seed[0] == 0]))
def test_the_checkpoint_reader_survives_mutated_checkpoints(content: bytes) -> None:
    """It refuses every checkpoint that differs from the original."""
    unchanged = content in seeds("checkpoint", DIRECTORY)  # "delete" may delete nothing
    assert fuzz_checkpoint(b"\0" + content[1:], DIRECTORY) == ("read" if unchanged else "refused")


@properties
@given(mutated([seed for seed in seeds("checkpoint", DIRECTORY) if seed[0] > 0]))
def test_the_checkpoint_reader_survives_mutated_metadata(content: bytes) -> None:
    """The digest is computed for the mutated metadata, so it matches."""
    fuzz_checkpoint(content, DIRECTORY)


# Memory

LIMITED = """
import resource, sys
from pathlib import Path
from data_scripts.errors import DataError
from data_scripts.idx import read_idx
from mnist_nn import load_checkpoint
from mnist_nn.errors import NNError
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for name in sys.argv[1:]:
    try:
        read_idx(Path(name), 3) if "idx" in name else load_checkpoint(Path(name))
        print("read")
    except (DataError, NNError) as error:
        print(str(error).removeprefix(name))
"""


def header(content: str, length: int | None = None) -> bytes:
    return (len(content) if length is None else length).to_bytes(8, "little") + content.encode()


def sized(content: bytes, size: int) -> Callable[[Path], object]:
    """A function that writes a sparse file: this content, then zeros that take no room on the disk."""

    def write(path: Path) -> None:
        path.write_bytes(content)
        os.truncate(path, size)

    return write


F32 = '{"w1":{"dtype":"F32","shape":[%d],"data_offsets":[0,%d]}}'
EMPTY = ",".join(f'"t{i}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' for i in range(50_000))
GREEDY: dict[str, tuple[bytes | Callable[[Path], object], str]] = {
    "a header of 2^63 bytes": (header("{}", 2**63), ": is not a checkpoint of nn; name a run directory"),
    "a header of 99 MB that is not there": (header("{}", 99_000_000), ": is not a checkpoint of nn; name a run directory"),
    "a header of 99 MB of zeros": (sized(header("{}", 99_000_000), 99_000_008), ": is not a checkpoint of nn; name a run directory"),
    "a tensor of 4 TB that is not there": (header(F32 % (10**12, 4 * 10**12)), ": is not a checkpoint, or is truncated: "),
    "a tensor whose size overflows": (header(F32 % (2**63, 8)), ": is not a checkpoint, or is truncated: "),
    "a tensor of 8 GB in a sparse file": (lambda path: sized(h := header(F32 % (2 * 10**9, 8 * 10**9)), len(h) + 8 * 10**9)(path), ": "),
    "fifty thousand tensors": (header("{" + EMPTY + "}"), ": is not a checkpoint of nn; name a run directory"),
    "a network of 10^12 weights": (crafted(config='{"network":{"sizes":[1000000,1000000]}}'), ": does not hold the network it describes: "),
    "the same with the right names": (crafted(config='{"network":{"sizes":[1000000,1000000,1000000]},"training":{"momentum":0.5}}'), ": does not hold the network it describes: w1 is float32 (2, 3), not float32 (1000000, 1000000)"),
    "a network of a thousand such layers": (crafted(config='{"network":{"sizes":[' + "1000000," * 999 + "1]}}"), ": does not hold the network it describes: "),
    "metadata of 8 MB": (crafted(state="[" * (8 << 20)), ": is not a checkpoint of nn; name a run directory"),
    "idx that declares 4 GB": (sized(bytes.fromhex("00000803 00000400 00000400 00001000"), 100), ": is truncated: 84 of 4,294,967,296 bytes of data"),
    "idx of 1 GB in a sparse file": (sized(bytes.fromhex("00000803 00000400 00000400 00000400"), (1 << 30) + 16), ": does not fit into the memory that is free"),
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the address space that is kept")
def test_files_that_declare_too_much_are_refused_within_1_gib(tmp_path: Path) -> None:
    """The reader has 1 GiB of memory, and gives one line of error for each file."""
    paths = []
    for i, (name, (content, _)) in enumerate(GREEDY.items()):
        paths.append(tmp_path / f"{i}{'-idx' * name.startswith('idx')}")
        if isinstance(content, bytes):
            paths[-1].write_bytes(content)
        else:
            content(paths[-1])
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each thread would reserve memory
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, paths)], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.stderr == ""
    answers = done.stdout.splitlines()
    assert len(answers) == len(GREEDY), answers
    for (name, (_, expected)), answer in zip(GREEDY.items(), answers, strict=True):
        assert answer.startswith(expected), (name, answer[:300])


# Pipes, devices and directories

READERS: dict[str, Callable[[Path], object]] = {
    "digits": lambda path: read_idx(path, 3),
    "digits.gz": lambda path: read_idx(path, 3),
    "config.yaml": read_config,
    "x.safetensors": load_checkpoint,
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir], ids=["a pipe", "a device", "a directory"])  # fmt: skip
def test_pipes_devices_and_directories_are_refused_at_once(
    make: Callable[[Path], object], name: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    assert not stat.S_ISREG((tmp_path / name).stat().st_mode)
    with pytest.raises(Exception, match=f"{name}: cannot be read: it is not a regular file") as error:
        READERS[name](tmp_path / name)
    assert type(error.value).__name__ in ("DataError", "ConfigError", "CheckpointError")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_no_command_waits_for_a_pipe(nn: Command, tmp_path: Path, digits: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    data = tmp_path / "data"
    data.mkdir()
    for file in digits.iterdir():
        os.mkfifo(data / file.name)
    for arguments, code in (
        (["train", "pipe"], 2),
        (["config", "pipe"], 2),
        (["evaluate", "pipe"], 1),
        (["inspect-gradients", "pipe"], 1),
        (["inspect-gradients", "pipe", "--init"], 1),
        (["train", "--set", "data.source=idx", "--data-dir", "data"], 1),
        (["inspect-gradients", "chain", "--init", "--html", "pipe"], 2),
        (["train", "--preview-augmentation", "pipe"], 2),
    ):
        outcome = nn(*arguments)
        reasons = ("regular file", "not a run", "pipe: already exists and was not written")
        assert (outcome.code, any(reason in outcome.error for reason in reasons)) == (code, True), arguments


# Control characters for the terminal

HOSTILE = {
    "a colour": "\x1b[31mred",
    "a title": "\x1b]0;title\a",
    "a link": "\x1b]8;;https://example.org\x1b\\here\x1b]8;;\x1b\\",
    "a control of eight bits": "\x9b31mred",
    "the other direction": "\u202egnp.exe",
    "an isolate": "\u2066x\u2069",
    "nothing wide": "a\u200bb\u200d\u2060",
    "a filler": "a\u3164\u115f\u034f",
    "a variation": "a\ufe0f",
    "a line": "a\u2028b\x85c",
    "a return": "fine\rError: not so",
    "a line break": "fine\nError: not so",
    "half a pair": "a\udce9b",
    "a backspace": "a\b\x7f",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_error_messages_contain_no_terminal_control_characters(text: str, nn: Command, tmp_path: Path) -> None:
    """They contain no invisible characters either, and none that reverse the direction of text."""
    (tmp_path / "mine.yaml").write_text("seed: 0")
    quoted = "".join(f"\\u{ord(c):04x}" for c in text)
    bad = {"a key": f'"{quoted}": 1', "a value": f'cost: "{quoted}"', "a deep key": f'training: {{"{quoted}": 1}}',
           "twice": f'"{quoted}": 1\n"{quoted}": 2', "a root": f'"{quoted}"', "a choice": f'training: {{schedule: "{quoted}"}}'}  # fmt: skip
    asked: list[list[object]] = []
    for i, content in enumerate(bad.values()):
        (tmp_path / f"{i}.yaml").write_text(content)
        asked.append(["config", f"{i}.yaml"])
    name = text.replace("/", "_")
    (tmp_path / f"{name}.yaml").write_text("sed: 0")
    (tmp_path / f"{name}.safetensors").write_bytes(b"none")
    (tmp_path / "crafted").write_bytes(crafted(config=f'{{"{quoted}": 1}}' if "\udce9" not in text else "{"))
    for key in ("", "seed.", "training.", "network.sizes."):
        asked.append(["config", "mine.yaml", "--set", f"{key}{text}=1"])
    asked += [
        ["config", f"{name}.yaml"],
        ["config", text],
        ["config", "mine.yaml", "--set", text],
        ["config", "mine.yaml", "--set", f"seed={text}"],
        ["config", "mine.yaml", f"--{text}"],
        ["evaluate", f"{name}.safetensors"],
        ["evaluate", text],
        ["evaluate", "crafted"],
        ["inspect-gradients", "chain", "--init", "--weight", text],
        ["train", "mine.yaml", "--set", "data.source=idx", "--data-dir", f"{tmp_path}/{name}"],
        [text],
    ]
    for arguments in asked:
        outcome = nn(*arguments)
        assert outcome.code in (1, 2), arguments
        line = outcome.error
        assert line.isprintable(), (arguments, ascii(line))
        assert not set(line) & set("\u3164\u115f\u034f\ufe0f"), (arguments, ascii(line))


def test_letters_of_every_language_are_printed_unchanged(nn: Command) -> None:
    for word in ("größe", "размер", "大きさ", "גודל", "e\u0301"):
        assert word in nn("evaluate", word).error


def test_a_network_full_of_nan_causes_no_traceback(nn: Command, tmp_path: Path, digits: Path) -> None:
    config = CONFIG.model_validate({"network": {"sizes": [784, 2, 10]}, "data": {"source": "idx", "dir": str(digits), "validation": 50}})  # fmt: skip
    state = initial_state(config)
    state.network.parameters[:] = float("nan")
    save_checkpoint(tmp_path / "x", config, state)
    for command in (["evaluate"], ["evaluate", "--json"], ["inspect-gradients"], ["inspect-gradients", "--json"]):
        outcome = nn(*command, "x")
        assert outcome.code == 0 or outcome.error
