"""Long, coverage-guided fuzzing of one reader with atheris, for a number of seconds or executions.

    .venv/bin/pip install -e '.[fuzz]'
    .venv/bin/python tests/fuzz/run.py idx --seconds 120           or config, checkpoint, run, digits

It ends with one line of JSON: executions, how many inputs were read and refused, and executions per second. An input
that makes a reader fail is written to crash-… in the working directory. `run.py TARGET crash-…` runs it again.
"""

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import atheris

# ruamel.yaml is left out: with instrumentation it reads only 30 documents a second.
with atheris.instrument_imports(include=["data_scripts", "mnist_nn"]):
    modules = (
        "data_scripts.idx",
        "mnist_nn.configuration.reader",
        "mnist_nn.runs.checkpoint",
        "mnist_nn.runs.recorder",
    )
    for module in modules:
        importlib.import_module(module)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from fuzz.targets import TARGETS, seeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("crash", nargs="?", type=Path, help="only run this input")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--executions", type=int, default=-1)
    parser.add_argument("--corpus", type=Path, help="where to keep interesting inputs; default: nowhere")
    options = parser.parse_args()
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    target = TARGETS[options.target]
    if options.crash:
        print(target(options.crash.read_bytes(), directory))
        return
    corpus = options.corpus or directory / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds(options.target, directory)):
        (corpus / f"seed-{i}").write_bytes(seed)
    verdicts: Counter[str] = Counter()
    warnings.simplefilter("error")  # a warning on stderr would break the promise of one line, too
    started = time.monotonic()

    def report() -> None:
        seconds = time.monotonic() - started
        count = sum(verdicts.values())
        figures = {"executions": count, **verdicts, "seconds": round(seconds), "per_second": round(count / seconds)}
        print(json.dumps({"target": options.target, **figures}), flush=True)

    def run(content: bytes) -> None:
        verdicts[target(content, directory)] += 1
        if time.monotonic() - started > options.seconds or sum(verdicts.values()) == options.executions:
            report()
            shutil.rmtree(directory)
            os._exit(0)  # libFuzzer never returns

    atheris.Setup([sys.argv[0], str(corpus), "-max_len=1024", "-timeout=20", "-rss_limit_mb=2048", "-verbosity=0"], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
