"""The command: `trajsim`, `python -m trajsim` and `python -m similarity`."""

import atexit
import os
import signal
import sys
from importlib import import_module


def main() -> None:
    """Do what the command line says; where a signal comes before it is known, end as later.

    One that comes after it is done changes nothing: the status stays.
    """
    if sys.argv[1:2] == ["serve"]:
        # A container's first process has no default action, and what follows takes a second.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    # It may be ignored, as in the background of a shell.
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, _stop)
        # Called last, as it is the first: then the interpreter would leave signals to the system.
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    command = import_module("similarity.cli.main")
    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        command.main(prog_name="trajsim")
    except SystemExit as end:
        if heard:
            # It may wait for threads, as of a server that does not answer.
            status = int(end.code or 0)
            signal.signal(signal.SIGINT, lambda *_: os._exit(status))
        raise


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
