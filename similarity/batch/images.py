"""The images that records name: by the digests of their files it is found which have changed."""

from collections.abc import Mapping, Sequence

from similarity.batch.lines import image_paths
from similarity.errors import ConfigError
from similarity.images.sources import image_file_digest
from similarity.tabular.records import Record

# By path, as the records give it; "" where a file cannot be read.
Digests = Mapping[str, str]

_SHOWN = 3


def image_digests(records: Sequence[Record], columns: Sequence[str] = ()) -> dict[str, str]:
    """Return the digests of the images that records compare, each file read once.

    Taken before the records are answered: if a file is replaced in between, that is found later.
    """
    paths = dict.fromkeys(path for record in records for path in image_paths(record, columns))
    return {path: image_file_digest(path) for path in paths}


def changed_images(before: Digests, *, elsewhere: bool = False) -> list[str]:
    """Return the paths whose files have other digests than before.

    Parameters
    ----------
    elsewhere
        Whether another machine read them: then those that only one of the two can read are left
        out.
    """
    now = ((path, digest, image_file_digest(path)) for path, digest in before.items())
    return [path for path, old, new in now if old != new and not (elsewhere and "" in (old, new))]


def check_same_images(changed: Sequence[str], anew: str) -> None:
    """Refuse to go on with images that have changed.

    Parameters
    ----------
    anew
        What to do where the images are meant to be others, for the message.

    Raises
    ------
    ConfigError
        If there are such.
    """
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        images, them = ("image", "it") if len(changed) == 1 else ("images", "them")
        raise ConfigError(
            f"{images} {', '.join(map(repr, changed[:_SHOWN]))}{more} changed after records with "
            f"{them} were answered; put back what was there, {anew}"
        )
