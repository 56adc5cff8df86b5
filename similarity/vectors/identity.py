"""What distinguishes fits of one model and settings: their texts, and the registers of these."""

import hashlib
import json
from collections.abc import Iterable, Iterator

# A text, and its register if that is known.
Labelled = tuple[str, str | None]

# The digest of the general sentences, and that of the registers which were theirs from the first.
# Identities leave these out, so that those of vectors made before registers counted stay true.
_UNSAID = {"a613b8e140b3446a": "a2dce2c71c0efa77"}


class FitIdentity:
    """The digests of the texts and registers that pass, whether they are fitted to or left out."""

    def __init__(self) -> None:
        self._texts, self._registers = hashlib.sha256(), hashlib.sha256()
        self._labelled = False

    def passing(self, given: Iterable[Labelled]) -> Iterator[Labelled]:
        """Yield the texts and registers, each once it is taken into the digests."""
        for text, register in given:
            # What is no valid Unicode is refused by those who read it.
            self._texts.update(f"{text}\n".encode(errors="surrogatepass"))
            self._registers.update(f"{json.dumps(register)}\n".encode())
            self._labelled = self._labelled or register is not None
            yield text, register

    @property
    def registers(self) -> str | None:
        """Return the digest of the registers; None where it goes without saying which they are.

        That is none of any text, but of the general sentences their own.
        """
        found = _short(self._registers) if self._labelled else ""
        unsaid = _UNSAID.get(_short(self._texts), "")
        return None if found == unsaid else f"sha256:{found}" if found else "none"


def registers_of(given: Iterable[Labelled]) -> str | None:
    """Return what `FitIdentity.registers` is once all of these texts have passed."""
    identity = FitIdentity()
    for _ in identity.passing(given):
        pass
    return identity.registers


def _short(found: "hashlib._Hash") -> str:
    return found.hexdigest()[:16]
