"""Images on the command line: a path that is one stands for it."""

from collections.abc import Iterable

import click

from similarity.cli.apart import note_image
from similarity.cli.choices import ModelChoice
from similarity.errors import InputError
from similarity.images.image import Content, Image
from similarity.images.sources import image_or_text
from similarity.models.loader import check_sees
from similarity.prompts import checked_text

text_option = click.option(
    "--text",
    "as_texts",
    is_flag=True,
    help="Compare the path of an image as a text, not as the image.",
)


def texts_and_images(
    given: Iterable[str], choice: ModelChoice, *, as_texts: bool, by_name: bool = False
) -> list[Content]:
    """Return the texts and images that a user named, refused where no model would take them.

    Parameters
    ----------
    by_name
        A word that ends as the names of images do is a path, whatever is there.

    Raises
    ------
    InputError
        If a text is none, or an image cannot be read.
    UnsupportedError
        If there is an image, and it is known before loading that the model reads none.
    """
    found: list[Content] = []
    for one in given:
        content = checked_text(one) if as_texts else _image_or_text(one, by_name)
        if isinstance(content, Image):
            note_image(one)
            check_sees(choice.name, content)
        found.append(content)
    return found


def _image_or_text(given: str, by_name: bool) -> Content:
    checked_text(given)
    try:
        return image_or_text(given, by_name=by_name)
    except InputError as error:
        raise InputError(f"{error}; --text compares the name as a text") from error
