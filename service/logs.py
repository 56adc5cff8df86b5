"""Structured logs on standard error: one JSON object a line, or readable text."""

import json
import logging
import re
import sys
import threading
import time
import traceback
from contextlib import suppress
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any, TextIO

from similarity.printable import printable

# Lines that wait to be written, at most.
MOST_LINES = 10_000
# Seconds that the end of the process waits for them.
LAST_LINES_SECONDS = 1.0

# What logging itself puts on a record, and the message that uvicorn repeats for terminals with
# colours; all else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName", "color_message"}
# The user and password of an address, which libraries may write whole.
_SIGN_IN = re.compile(r"(?<=://)[^/\s@]+(?=@)")


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time, level, logger, event, and what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        content = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _without_sign_in(record.getMessage()),
            **_extra(record),
        }
        if record.exc_info:
            content["exception"] = _without_sign_in(self.formatException(record.exc_info))
        return json.dumps(content, default=str)


class TextFormatter(logging.Formatter):
    """A record as one line for people."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        stamp = time.strftime("%H:%M:%S", time.localtime(record.created))
        extra = " ".join(f"{name}={value}" for name, value in _extra(record).items())
        line = f"{stamp} {record.levelname.lower():7} {record.getMessage()} {extra}".rstrip()
        line = printable(line)
        if record.exc_info:
            trace = self.formatException(record.exc_info).splitlines()
            line = "\n".join([line, *map(printable, trace)])
        return _without_sign_in(line)


class LineHandler(QueueHandler):
    """Writes lines in a thread of its own, so that whoever does not read them holds up nobody.

    Lines beyond `most` that wait are dropped. A line says later how many they were.
    """

    def __init__(self, stream: TextIO, most: int = MOST_LINES) -> None:
        # Unlike `Queue`, it may be used from a signal handler that has interrupted its use.
        self._lines: SimpleQueue[str | threading.Event | None] = SimpleQueue()
        super().__init__(self._lines)
        self._stream = stream
        self._most = most
        self._dropped = 0
        threading.Thread(target=self._write, name="logs", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record's line behind the others, or drop it."""
        if self._lines.qsize() >= self._most:
            self._dropped += 1
            return
        self._report_dropped()
        super().emit(record)

    def prepare(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return self.format(record)

    def written(self) -> bool:
        """Wait until all lines are written, a second at most; return whether they are."""
        self.acquire()
        try:
            self._report_dropped()
        finally:
            self.release()
        reached = threading.Event()
        self._lines.put(reached)
        return reached.wait(LAST_LINES_SECONDS)

    def close(self) -> None:
        """End the thread once all lines are written, without waiting for it."""
        self._lines.put(None)
        super().close()

    def flush(self) -> None:
        """Wait until all lines are written, a second at most."""
        self.written()

    def _report_dropped(self) -> None:
        if self._dropped:
            facts = {"name": __name__, "levelname": "WARNING", "dropped": self._dropped}
            message = "log lines were dropped, as standard error was not read"
            self._lines.put(self.format(logging.makeLogRecord({"msg": message, **facts})))
            self._dropped = 0

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            if isinstance(line, threading.Event):
                line.set()
                continue
            # Where it is closed, or its disk is full, there is no place to say so.
            with suppress(OSError, ValueError):
                self._stream.write(f"{line}\n")
                self._stream.flush()


def configure_logs(level: str, style: str) -> None:
    """Send all logs of the process to standard error in one style, and Python's warnings.

    Of libraries no less than warnings: what they say below that may have what users sent.
    """
    handler = LineHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    for name in ("service", "similarity", "uvicorn"):
        logger = logging.getLogger(name)
        for before in logger.handlers:
            before.close()
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level.upper())
    root = logging.getLogger()
    # What others have added to the root is left there.
    root.handlers = [one for one in root.handlers if not isinstance(one, LineHandler)] + [handler]
    root.setLevel(max(logging.WARNING, logging.getLogger("service").level))
    logging.captureWarnings(True)
    # It would log paths as clients write them; the service has lines of its own.
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").addFilter(_has_no_line)


def _has_no_line(record: logging.LogRecord) -> bool:
    """Return whether what uvicorn says has no line of the service's own, with an id."""
    return record.msg != "Invalid HTTP request received."


def logs_written() -> bool:
    """Wait until what was logged is written, a second at most; return whether it is."""
    ours = [one for one in logging.getLogger("service").handlers if isinstance(one, LineHandler)]
    return all(handler.written() for handler in ours)


def places(error: BaseException) -> list[str]:
    """Return where an error came through, and before it those that led to it, each with its type.

    Messages are left out, as they may hold a user's text.
    """
    found: list[str] = []
    seen: set[int] = set()
    later: BaseException | None = error
    while later is not None and id(later) not in seen:
        seen.add(id(later))
        frames = traceback.extract_tb(later.__traceback__)
        where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        found = [*where, type(later).__name__, *found]
        later = later.__cause__ or (None if later.__suppress_context__ else later.__context__)
    return found


def _without_sign_in(line: str) -> str:
    return _SIGN_IN.sub("…", line)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}
