"""Rules for the packages: which imports are allowed, what must not print, and what `--help` may load."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

# The packages of mnist_nn, and the packages that each may import. Everything may import errors, product and randomness.
ROOMS: dict[str, set[str]] = {
    "chapter": set(),
    "configuration": {"chapter"},
    "examples": {"chapter", "configuration"},
    "training": {"chapter", "configuration", "examples"},
    "explaining": {"chapter", "configuration", "examples"},
    "exercises": {"chapter", "examples", "explaining"},
    "runs": {"chapter", "configuration", "examples", "training"},
    "exporting": {"chapter", "configuration", "examples", "runs"},
    "page": {"chapter", "configuration", "examples", "training", "explaining", "runs"},
    "sweeps": {"configuration", "runs"},
    "pictures": set(),
}
# The files of the chapter in reading order: each may import the files before it.
CHAPTER = ["activation", "cost", "network", "backprop", "sgd"]
# What mnist_nn must not import.
FORBIDDEN = {"click", "requests", "tqdm", "socket", "os", "mpi4py", "distributed", "cli", "nn_cli"}


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def modules(name: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module of a package and its subpackages, with its dotted name within the package."""
    for file in package(name).rglob("*.py"):
        dotted = ".".join(file.relative_to(package(name)).with_suffix("").parts)
        yield dotted, ast.parse(file.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            if node.level and not node.module:
                yield from ("." * node.level + alias.name for alias in node.names)


def imported_modules(stem: str, tree: ast.Module) -> Iterator[str]:
    """The modules of mnist_nn that a module of mnist_nn imports, as dotted names."""
    parts = stem.split(".")
    for name in imports(tree):
        level = len(name) - len(name.lstrip("."))
        if level and name.strip("."):
            yield ".".join([*parts[: len(parts) - level], name.lstrip(".")])


def test_packages_of_mnist_nn_import_only_lower_packages() -> None:
    found = {stem.split(".")[0] for stem, _ in modules("mnist_nn") if "." in stem}
    assert found == set(ROOMS)
    for stem, tree in modules("mnist_nn"):
        room, inside, _ = stem.partition(".")
        for name in imported_modules(stem, tree):
            target = name.split(".")[0]
            if inside and target not in (room, "errors", "product", "randomness"):
                assert target in ROOMS[room], f"{stem} imports {name}"


def test_mnist_nn_has_no_circular_imports() -> None:
    graph = {stem: set(imported_modules(stem, tree)) for stem, tree in modules("mnist_nn")}
    done: set[str] = set()
    while len(done) < len(graph):
        free = {
            stem
            for stem, needs in graph.items()
            if stem not in done and all(name in done or name not in graph for name in needs)
        }
        assert free, f"a circle among {sorted(set(graph) - done)}"
        done |= free


def test_the_chapters_files_import_only_numpy_and_earlier_files() -> None:
    """The product and a few modules of the standard library are allowed too."""
    allowed = {"..product", "numpy", "numpy.typing", "collections.abc", "dataclasses", "typing", "itertools"}
    chapter = {stem: tree for stem, tree in modules("mnist_nn") if stem.startswith("chapter.")}
    assert set(chapter) == {f"chapter.{name}" for name in [*CHAPTER, "__init__"]}
    for i, name in enumerate(CHAPTER):
        before = {f".{earlier}" for earlier in CHAPTER[:i]}
        assert set(imports(chapter[f"chapter.{name}"])) <= allowed | before, name


def test_data_scripts_does_not_import_the_other_packages() -> None:
    for stem, tree in modules("data_scripts"):
        for name in imports(tree):
            assert name.split(".")[0] not in ("mnist_nn", "cli", "nn_cli"), f"{stem} imports {name}"


def test_mnist_nn_uses_no_output_environment_or_network() -> None:
    """Neither does it use MPI. Of data_scripts it imports only `files`."""
    for stem, tree in modules("mnist_nn"):
        for name in imports(tree):
            assert name.split(".")[0] not in FORBIDDEN, stem
            if name.startswith("data_scripts"):
                assert name == "data_scripts.files", f"{stem} imports {name}"
        called = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not called & {"print", "input"}, stem


def test_nothing_uses_numpys_global_random_state() -> None:
    for name in ("mnist_nn", "data_scripts", "nn_cli"):
        for stem, tree in modules(name):
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("np.random."):
                    assert node.attr in ("Generator", "SeedSequence", "PCG64", "default_rng"), f"{stem}: {node.attr}"


def test_help_loads_no_heavy_modules() -> None:
    program = (
        "import sys\n"
        "from nn_cli.__main__ import main\n"
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
        "onnx",
        "onnxruntime",
        "mpi4py",
        "distributed",
        "matplotlib",
        "uniplot",
        "multiprocessing",
        "concurrent",
        "mnist_nn",
        "data_scripts",
    }


def test_training_in_one_process_never_loads_mpi(tmp_path: Path) -> None:
    """Not even if it is installed: here a stand-in is."""
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").touch()
    program = (
        "import sys\n"
        "from nn_cli.__main__ import main\n"
        "try: main(['train', 'chain', '--quiet', '--set', 'training.epochs=1', '--run-dir', 'run'])\n"
        "except SystemExit as end: assert not end.code, end\n"
        "print('mpi4py' in sys.modules, 'mnist_nn.training.loop' in sys.modules, file=sys.stderr)\n"
        "import mpi4py\n"
    )
    launchers = ("OMPI_", "PMI_", "SLURM_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(launchers)}
    environment["PYTHONPATH"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == "False True\n"


def test_the_commands_package_is_not_installed_as_cli() -> None:
    origin = find_spec("nn_cli")
    assert origin is not None
    program = "import importlib.util as u; s = u.find_spec('cli'); print(s.origin if s else None)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip() == "None"


def test_every_data_source_of_a_configuration_can_be_loaded() -> None:
    from nn_cli.loading import LOADERS

    from mnist_nn.configuration.schema import DataConfig

    sources = get_args(DataConfig.model_fields["source"].annotation)
    assert set(sources) == {*LOADERS, "inline"}
