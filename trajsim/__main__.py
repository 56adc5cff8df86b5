"""The command `trajsim`, which is also `python -m trajsim`."""

import os
import signal
import sys
from importlib import import_module


def main() -> None:
    """Do what the command line says; where a signal comes before it is known, end as later."""
    if sys.argv[1:2] == ["serve"]:
        # A container's first process has no default action, and what follows takes a second.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        command = import_module("similarity.cli.main")
    except KeyboardInterrupt:
        # As `similarity.cli.stopping` says it, which is not there yet.
        print("\nstopped", file=sys.stderr)
        sys.exit(130)
    command.main(prog_name="trajsim")


# A process that multiprocessing starts imports this again.
if __name__ == "__main__":
    main()
