"""Writes the locks of exact versions: run.lock for the service, dev.lock for everything.

Run as `make lock`. CUDA packages stay out of both: a CPU machine does without, and a CUDA build of
torch pins its own. The images install from locks of the same versions with hashes: image.lock for
the service, build.lock for making its wheel, cuda.lock for torch's CUDA build. torch's CPU build
has no hash there: it comes from an index of its own, or from a folder of wheels.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
LOCKS = {"run.lock": ("all", "build"), "dev.lock": ("dev",)}
COMPILE = (
    *(sys.executable, "-m", "uv", "pip", "compile"),
    *("--quiet", "--no-header", "--no-annotate", "--no-emit-index-url"),
    *("--python-version", "3.11"),
)
CUDA = re.compile(r"(nvidia-|cuda-|triton==)")
TORCH = re.compile(r"torch==")
PIN = re.compile(r"^(?=\S)", re.MULTILINE)


def main() -> None:
    """Write each lock; the first holds for all others."""
    (torch_version,) = sys.argv[1:]
    torch = f"torch=={torch_version}\n"
    held: list[str] = []
    for name, extras in LOCKS.items():
        pins = compile_pins([*project(extras), *links(), *held], torch)
        write(name, [pin.replace("+cpu", "") for pin in pins if not CUDA.match(pin)])
        held += ["--constraints", str(HERE / name)]
    held += ["--generate-hashes"]
    pins = compile_pins([*project(("all", "tracing")), *links(), *held], torch)
    write("image.lock", [pin for pin in pins if not CUDA.match(pin) and not TORCH.match(pin)])
    write("build.lock", compile_pins(["-", *held], "hatchling\n"))
    # Without the folder of wheels: these are the files of the index, for any Linux that has them.
    pins = compile_pins(["-", "--python-platform", "x86_64-manylinux_2_28", *held], torch)
    write("cuda.lock", [pin for pin in pins if CUDA.match(pin) or TORCH.match(pin)])


def project(extras: Sequence[str]) -> list[str]:
    """Return the options for the project with some extras, and what comes by standard input."""
    return [option for extra in extras for option in ("--extra", extra)] + ["pyproject.toml", "-"]


def links() -> list[str]:
    """Return the options for pip's own setting: a machine may keep a CPU build of torch there."""
    folder = os.environ.get("PIP_FIND_LINKS")
    return ["--find-links", folder] if folder else []


def compile_pins(options: Sequence[str], requirements: str) -> list[str]:
    """Return the exact versions for Python 3.11, each with its hashes where they are asked for."""
    result = subprocess.run(
        [*COMPILE, *options],
        input=requirements,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [pin for pin in PIN.split(result.stdout) if "==" in pin]


def write(name: str, pins: Sequence[str]) -> None:
    """Write a lock."""
    (HERE / name).write_text("".join(pins), encoding="utf-8")


if __name__ == "__main__":
    main()
