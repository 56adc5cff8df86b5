"""Images as a client sends them, in the place of a text."""

import base64
from os import PathLike, fspath
from typing import TypedDict

from similarity.images.files import MOST_BYTES, file_bytes

_URLS = ("data:", "https://", "http://")


class ImageInput(TypedDict):
    """An image as the service takes it: by a data URL, or by the URL of an allowed host."""

    image: str


# What may be compared.
Content = str | ImageInput


def image(source: str | PathLike[str] | bytes, *, max_bytes: int = MOST_BYTES) -> ImageInput:
    """Return an image to compare, in the place of a text.

    Parameters
    ----------
    source
        A file's path or its bytes, or a URL. The service fetches from hosts that its settings
        allow, and reads PNG, JPEG, WebP, GIF and BMP.
    max_bytes
        Of a file, which is read and sent whole. The service has a limit of its own.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is a pipe, a socket or a device, or has more bytes than `max_bytes`.
    """
    if isinstance(source, str) and source.lower().startswith(_URLS):
        return {"image": source}
    content = source if isinstance(source, bytes) else _content(source, max_bytes)
    # Whichever type is named: the service looks at the content.
    return {"image": f"data:image/png;base64,{base64.b64encode(content).decode()}"}


def _content(path: str | PathLike[str], max_bytes: int) -> bytes:
    try:
        content = file_bytes(path, max_bytes)
    except ValueError as error:
        raise ValueError(f"image {fspath(path)!r} cannot be read: {error}") from error
    if len(content) > max_bytes:
        raise ValueError(
            f"image {fspath(path)!r} has more than {max_bytes} bytes, the most that is allowed; "
            "make it smaller, or raise max_bytes"
        )
    return content
