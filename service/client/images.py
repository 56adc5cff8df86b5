"""Images as a client sends them, in the place of a text."""

import base64
from pathlib import Path
from typing import TypedDict

_URLS = ("data:", "https://", "http://")


class ImageInput(TypedDict):
    """An image as the service takes it: by a data URL, or by the URL of an allowed host."""

    image: str


# What may be compared.
Content = str | ImageInput


def image(source: str | Path | bytes) -> ImageInput:
    """Return an image to compare, in the place of a text.

    Parameters
    ----------
    source
        A file's path or its bytes, or a URL. The service fetches from hosts that its settings
        allow, and reads PNG, JPEG, WebP, GIF and BMP.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    if isinstance(source, str) and source.lower().startswith(_URLS):
        return {"image": source}
    content = source if isinstance(source, bytes) else Path(source).read_bytes()
    # Whichever type is named: the service looks at the content.
    return {"image": f"data:image/png;base64,{base64.b64encode(content).decode()}"}
