"""The command: `trajsim`, `python -m trajsim` and `python -m similarity`."""

import os
import signal
import sys
from importlib import import_module


def main() -> None:
    """Do what the command line says; where a signal comes before it is known, end as later."""
    if sys.argv[1:2] == ["serve"]:
        # A container's first process has no default action, and what follows takes a second.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # It may be ignored, as in the background of a shell.
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, _stop)
    command = import_module("similarity.cli.main")
    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command.main(prog_name="trajsim")


def _stop(*_: object) -> None:
    """End as `similarity.cli.stopping` does, which is not there yet.

    A KeyboardInterrupt would not do: modules in C, such as NumPy's, make another error of it.
    """
    try:
        os.write(2, b"\nstopped\n")
    finally:  # it may be closed
        os._exit(130)


# A process that multiprocessing starts imports this again.
if __name__ == "__main__":
    main()
