"""Images in requests: decoded off the event loop, within the limits of the service."""

from collections.abc import Iterable, Sequence

from anyio.to_thread import run_sync

from service.engine.exceptions import RequestTooLargeError
from service.http.call import Call
from service.http.schemas.fields import ImageInput
from service.settings import Settings
from similarity.errors import ImageError
from similarity.images.decoding import ImageLimits
from similarity.images.image import Content, Image
from similarity.images.sources import image_of_data_url
from similarity.models.base import Ability

Given = str | ImageInput


async def read_contents(given: Sequence[Given], call: Call) -> list[Content]:
    """Return the texts as they are, and the image of each that is one; equal ones are read once.

    Raises
    ------
    ImageError
        If the model reads texts alone, or an image cannot be read or is too large.
    RequestTooLargeError
        If all images have too many pixels together.
    """
    urls = dict.fromkeys(one.image for one in given if isinstance(one, ImageInput))
    if not urls:
        return [one for one in given if isinstance(one, str)]
    if Ability.IMAGES not in call.engine.model.abilities:
        raise _error(
            f"{call.model} reads texts alone; serve a vision-language model", next(iter(urls))
        )
    images = await run_sync(_read, urls, call.settings)
    return [one if isinstance(one, str) else images[one.image] for one in given]


async def read_pairs(
    given: Sequence[tuple[Given, Given]], call: Call
) -> list[tuple[Content, Content]]:
    """Return pairs with their images read; raises as `read_contents` does."""
    contents = iter(await read_contents([one for pair in given for one in pair], call))
    return list(zip(contents, contents, strict=True))


def _read(urls: Iterable[str], settings: Settings) -> dict[str, Image]:
    limits = ImageLimits(max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
    images: dict[str, Image] = {}
    pixels = 0
    for number, url in enumerate(urls, 1):
        try:
            image = image_of_data_url(url, f"#{number}", limits)
        except ImageError as error:
            raise _error(str(error), url) from error
        pixels += image.width * image.height
        if pixels > settings.max_request_pixels:
            raise RequestTooLargeError(
                f"the request has more than {settings.max_request_pixels} pixels in its images, "
                "which is the most that is allowed here, so send less"
            )
        images[url] = image
    return images


def _error(message: str, url: str) -> ImageError:
    error = ImageError(message)
    error.text = url
    return error
