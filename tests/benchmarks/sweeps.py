"""How fast sweeps are: eight seeds of a recipe two at a time against one after the other, and what a trial costs.

python tests/benchmarks/sweeps.py [RECIPE] [KEY=VALUE]...     default: mnist

Prints, for this machine: the seconds of `nn sweep --jobs 1` and `--jobs 2` and their ratio; the seconds of the same
trainings by `nn train`, one after the other; and the time of 40 tiny trials (`chain`) beyond 40 times `nn train chain`.
"""

import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

NN = Path(sysconfig.get_path("scripts")) / "nn"
SEEDS, TINY = 8, 40


def seconds(*arguments: object) -> float:
    """The time that a command takes."""
    began = time.perf_counter()
    subprocess.run([str(NN), *map(str, arguments), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    recipe, *sets = sys.argv[1:] or ["mnist"]
    options = [word for one in sets for word in ("--set", one)]
    with tempfile.TemporaryDirectory() as directory:
        import os

        os.chdir(directory)
        by_hand = sum(seconds("train", recipe, *options, "--set", f"seed={seed}") for seed in range(SEEDS))
        one = seconds("sweep", recipe, *options, "--seeds", SEEDS, "--jobs", 1)
        two = seconds("sweep", recipe, *options, "--seeds", SEEDS, "--jobs", 2)
        print(f"{SEEDS} seeds of {recipe}: by `nn train` {by_hand:.1f} s, --jobs 1 {one:.1f} s, --jobs 2 {two:.1f} s")
        print(f"--jobs 2 is {by_hand / two:.2f} times as fast as `nn train`, {one / two:.2f} times as --jobs 1")
        print(f"a trial takes {(one - by_hand) / SEEDS:+.2f} s more than `nn train`")
        alone = min(seconds("train", "chain") for _ in range(5))
        tiny = seconds("sweep", "chain", "--seeds", TINY, "--jobs", 1)
        print(f"{TINY} trials of chain: {tiny / TINY:.2f} s each, `nn train chain`: {alone:.2f} s")


if __name__ == "__main__":
    main()
