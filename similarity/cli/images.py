"""Images on the command line: a path that is one stands for it."""

from collections.abc import Iterable, Sequence

import click

from similarity.cli.apart import note_image
from similarity.cli.choices import ModelChoice
from similarity.cli.notes import note
from similarity.errors import InputError, UnsupportedError
from similarity.images.decoding import ENDINGS
from similarity.images.image import Content, Image
from similarity.images.sources import image_or_text, is_image_file
from similarity.models.loader import check_sees, may_read_images
from similarity.prompts import checked_text
from similarity.tabular.records import PlacedTexts

# What is said of each image that cannot be compared.
_AS_WORDS = "; --text compares the name as a text"

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
            _check_sees(choice, content)
        found.append(content)
    return found


def contents_of(texts: PlacedTexts, choice: ModelChoice, *, as_texts: bool) -> list[Content]:
    """Return texts, and the images whose paths a file has; those of a folder are texts.

    What is named as an image and is not there is a word to a model of texts. Raises as
    `texts_and_images` does.
    """
    as_texts = as_texts or texts.ids is not None
    by_name = may_read_images(choice.name)
    return texts_and_images(texts.texts, choice, as_texts=as_texts, by_name=by_name)


def note_paths(texts: Sequence[str]) -> None:
    """Say so where a command that reads words alone is given the paths of images."""
    paths = [one for one in texts if one.lower().endswith(ENDINGS) and is_image_file(one)]
    if paths:
        note(
            f"warning: {len(paths)} of {len(texts)} texts are paths of images, such as "
            f"{paths[0]!r}, and are read as words; trajsim compare, matrix, cluster and dedupe "
            "read the images, by a model that does"
        )


def _image_or_text(given: str, by_name: bool) -> Content:
    checked_text(given)
    try:
        return image_or_text(given, by_name=by_name)
    except InputError as error:
        raise InputError(f"{error}{_AS_WORDS}") from error


def _check_sees(choice: ModelChoice, image: Image) -> None:
    try:
        check_sees(choice.name, image)
    except UnsupportedError as error:
        raise UnsupportedError(f"{error}{_AS_WORDS}") from error
