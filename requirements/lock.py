"""Writes the locks of exact versions: run.lock for the service, dev.lock for everything.

Run as `make lock`. CUDA packages stay out: a CPU machine does without, and a CUDA build of torch
pins its own.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOCKS = {"run.lock": ("all", "build"), "dev.lock": ("dev",)}
COMPILE = (
    *(sys.executable, "-m", "uv", "pip", "compile"),
    *("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"),
    *("--python-version", "3.11"),
)
CUDA = re.compile(r"(nvidia-|cuda-|triton==)")


def main() -> None:
    """Write each lock; the first holds for the second too."""
    (torch_version,) = sys.argv[1:]
    held: list[str] = []
    for name, extras in LOCKS.items():
        lines = resolve(extras, torch_version, held)
        (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        held += ["--constraints", str(HERE / name)]


def resolve(extras: tuple[str, ...], torch_version: str, held: list[str]) -> list[str]:
    """Return the exact versions of the project with some extras, for Python 3.11."""
    wanted = [option for extra in extras for option in ("--extra", extra)]
    # pip's own setting: a machine may keep a CPU build of torch at hand there.
    if links := os.environ.get("PIP_FIND_LINKS"):
        wanted += ["--find-links", links]
    result = subprocess.run(
        [*COMPILE, *wanted, *held, "pyproject.toml", "-"],
        input=f"torch=={torch_version}\n",
        check=True,
        capture_output=True,
        text=True,
    )
    lines = (line.replace("+cpu", "") for line in result.stdout.splitlines())
    return [line for line in lines if "==" in line and not CUDA.match(line)]


if __name__ == "__main__":
    main()
