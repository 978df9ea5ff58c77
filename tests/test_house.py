"""The house's rules: which way imports point, what stays quiet, and how fast help is there."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

# Each module of mnist_nn may import those above it in this list.
ORDER = [
    "errors", "activation", "cost", "network", "backprop", "initialization", "randomness", "dataset", "sgd",
    "config", "interpolation", "augmentation", "deslanting", "fresh_examples", "schedule", "config_errors", "config_file", "config_writer", "evaluation", "gradient_check", "inspection", "written_out", "threads", "compiled", "training", "checkpoint", "epoch_table",
    "run_directory",
]  # fmt: skip


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def modules(name: str) -> Iterator[tuple[str, ast.Module]]:
    for file in package(name).glob("*.py"):
        yield file.stem, ast.parse(file.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            if node.level and not node.module:
                yield from ("." + alias.name for alias in node.names)


def test_imports_within_mnist_nn_point_up_one_list() -> None:
    stems = {stem for stem, _ in modules("mnist_nn")} - {"__init__"}
    assert stems == set(ORDER)
    for stem, tree in modules("mnist_nn"):
        for name in imports(tree):
            if name.startswith(".") and name != "." and stem != "__init__":
                assert ORDER.index(name[1:]) < ORDER.index(stem), f"{stem} imports {name}"


@pytest.mark.parametrize("stem", ["activation", "cost", "network", "backprop"])
def test_the_mathematics_needs_numpy_alone(stem: str) -> None:
    allowed = {"numpy", "numpy.typing", "collections.abc", "dataclasses", "typing", "itertools"}
    allowed |= {".activation", ".cost", ".network"}
    tree = dict(modules("mnist_nn"))[stem]
    assert set(imports(tree)) <= allowed


def test_data_scripts_imports_nothing_of_the_rest() -> None:
    for stem, tree in modules("data_scripts"):
        for name in imports(tree):
            assert name.split(".")[0] not in ("mnist_nn", "cli", "nn_cli", "click", "tqdm"), f"{stem} imports {name}"


def test_mnist_nn_neither_prints_nor_asks_the_environment_nor_the_network() -> None:
    for stem, tree in modules("mnist_nn"):
        for name in imports(tree):
            assert name.split(".")[0] not in ("click", "requests", "tqdm", "socket", "os", "cli", "nn_cli"), stem
            if name.startswith("data_scripts"):
                assert name == "data_scripts.files", f"{stem} imports {name}"
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"print", "input"}, stem


def test_nothing_draws_on_numpys_global_random_state() -> None:
    for name in ("mnist_nn", "data_scripts", "nn_cli"):
        for file in package(name).glob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("np.random."):
                    assert node.attr in ("Generator", "SeedSequence", "PCG64", "default_rng"), (
                        f"{file.name}: {node.attr}"
                    )


def test_help_imports_neither_numpy_nor_anything_else_that_is_heavy() -> None:
    program = (
        "import sys\n"
        "from nn_cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "inspect-gradients" in done.stdout
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert not loaded & {
        "numpy",
        "hashlib",
        "importlib.resources",
        "pydantic",
        "ruamel",
        "requests",
        "tqdm",
        "safetensors",
        "mnist_nn",
        "data_scripts",
    }


def test_the_commands_package_is_not_installed_as_cli() -> None:
    origin = find_spec("nn_cli")
    assert origin is not None
    program = "import importlib.util as u; s = u.find_spec('cli'); print(s.origin if s else None)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "None"
