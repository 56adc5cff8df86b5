"""What helps against the errors of SQLite, by their names."""

from pathlib import Path

# How the names begin: another process has the file, it is out of reach, and nothing more can be
# written. A quota that is used up is an error of reading and writing.
_HELD = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_DENIED = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")
_FULL = ("SQLITE_FULL", "SQLITE_IOERR")

# What is said of a file that another process has.
IN_USE = "another process holds it; wait until that one is done"


def is_held(error: Exception) -> bool:
    """Return whether an error says that another process has the file."""
    return _name(error).startswith(_HELD)


def is_denied(error: Exception) -> bool:
    """Return whether an error says that this user may not read or write the file."""
    return _name(error).startswith(_DENIED)


def remedy_of(error: Exception, path: Path, remedy: str) -> str:
    """Return what helps; `remedy` is what does where the file is damaged or too large."""
    if is_held(error):
        return IN_USE
    if is_denied(error):
        return access_remedy(path)
    if _name(error).startswith(_FULL):
        return f"free space on the disk, or {remedy}"
    return f"it is damaged, or no store of trajsim; {remedy}"


def access_remedy(path: Path) -> str:
    """Return what helps where a file is out of reach."""
    return f"see that {path.parent} is a folder that this user may write to"


def _name(error: Exception) -> str:
    return getattr(error, "sqlite_errorname", "")
