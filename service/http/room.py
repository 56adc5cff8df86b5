"""Bytes that many requests hold at once, bounded together."""

from typing import Protocol

from service.engine.exceptions import BusyError


class Holder(Protocol):
    """What holds bytes for a request."""

    @property
    def overdue(self) -> float:
        """Return for how many seconds it has been too slow; one that is not has 0 or less.

        Where there is no room, that which has been so for longest makes it for others.
        """

    def give_up(self, refusal: BusyError) -> None:
        """End, as another has taken its room."""


class Room:
    """So many bytes are held at once, by all holders together.

    Parameters
    ----------
    what
        Is held, with its verb, as messages begin: "the bodies … are".
    setting
        The variable that raises `max_bytes`.
    """

    def __init__(self, max_bytes: int, what: str, setting: str) -> None:
        self._max_bytes = max_bytes
        self._what = what
        self._setting = setting
        # Bytes of each.
        self._held: dict[Holder, int] = {}

    @property
    def held(self) -> int:
        """Return the bytes of all."""
        return sum(self._held.values())

    def hold(self, one: Holder, count: int) -> None:
        """Count one with so many bytes; one that is alone has room.

        Raises
        ------
        BusyError
            If there is no room for them, also when all that are slow have made room.
        """
        while (others := self.held - self._held.get(one, 0)) and others + count > self._max_bytes:
            slow = max((o for o in self._held if o is not one), key=lambda other: other.overdue)
            if slow.overdue <= 0:
                raise self._full()
            self.release(slow)
            slow.give_up(self._full())
        self._held[one] = count

    def release(self, one: Holder) -> None:
        """Count one no more."""
        self._held.pop(one, None)

    def _full(self) -> BusyError:
        return BusyError(
            f"{self._what} too many bytes together, of which at most {self._max_bytes} are allowed "
            f"at once; send it again later; whoever runs the service can raise {self._setting}",
            retry_after=1.0,
        )
