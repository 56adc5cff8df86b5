"""The command `trajsim`, which is also `python -m trajsim`."""

import sys
from importlib import import_module


def main() -> None:
    """Do what the command line says; where Ctrl-C comes before it is known, end as later."""
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
