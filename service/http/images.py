"""Images in requests: fetched where that is allowed, and decoded off the event loop."""

from collections.abc import Iterable, Sequence
from functools import partial

import anyio

from service.engine.exceptions import RequestTooLargeError
from service.engine.workers import run_in_turn
from service.http.call import Call
from service.http.fetching import ImageFetcher, ImageHostError, ImageSourceError
from service.http.schemas.fields import ImageInput
from service.names import split
from service.origins import SCHEMES
from service.settings import Settings
from similarity.errors import ImageError
from similarity.images.decoding import ImageLimits
from similarity.images.image import Content, Image
from similarity.images.sources import image_of_data_url, read_image
from similarity.models.base import Ability

Given = str | ImageInput

# Images that are fetched at once for one request.
FETCHES_OF_REQUEST = 4
# Images that are decoded at once, over all requests. A file of some kilobytes may have all pixels
# that are allowed, and decoding takes some ten bytes for each.
DECODERS = 2

LATE = (
    "the images were not there within the time limit of {}; send fewer or smaller ones, or give "
    "them as data URLs"
)


async def read_contents(given: Sequence[Given], call: Call) -> list[Content]:
    """Return the texts as they are, and the image of each that is one; equal ones are read once.

    Images are fetched, so what they cost must be found allowed before.

    Raises
    ------
    ImageError
        If the model reads texts alone, or an image cannot be read or is too large.
    ImageHostError, ImageSourceError
        If a URL is not to be fetched from, or gives no image.
    RequestTooLargeError
        If all images have too many pixels or bytes together.
    BusyError
        If other requests hold the memory that the fetched ones would take.
    DeadlineError, ClientGoneError
        If the deadline is over first, or the client gone.
    """
    urls = dict.fromkeys(one.image for one in given if isinstance(one, ImageInput))
    if not urls:
        return [one for one in given if isinstance(one, str)]
    if Ability.IMAGES not in call.engine.model.abilities:
        raise _error(
            f"{call.model} reads texts alone; serve a vision-language model", next(iter(urls))
        )
    images = await call.prepare(partial(_images, urls, call), LATE)
    call.images = {image.name: url for url, image in images.items()}
    return [one if isinstance(one, str) else images[one.image] for one in given]


async def read_pairs(
    given: Sequence[tuple[Given, Given]], call: Call
) -> list[tuple[Content, Content]]:
    """Return pairs with their images read; raises as `read_contents` does."""
    contents = iter(await read_contents([one for pair in given for one in pair], call))
    return list(zip(contents, contents, strict=True))


def is_fetched(url: str, settings: Settings) -> bool:
    """Return whether a URL is one to fetch from a host, and the settings allow any host."""
    return bool(settings.image_hosts) and url.lower().startswith(SCHEMES)


async def _images(urls: Iterable[str], call: Call) -> dict[str, Image]:
    files = await _fetch([url for url in urls if is_fetched(url, call.settings)], call)
    settings = call.settings
    limits = ImageLimits(max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels)
    images: dict[str, Image] = {}
    pixels = 0
    for number, url in enumerate(urls, 1):
        read = partial(_read, url, files.get(url), f"#{number}", limits)
        images[url] = await run_in_turn(read, "request", call.decoders)
        pixels += images[url].width * images[url].height
        if pixels > settings.max_request_pixels:
            raise RequestTooLargeError(
                f"the request has more than {settings.max_request_pixels} pixels in its images, "
                "which is the most that is allowed here, so send less"
            )
    return images


async def _fetch(urls: Sequence[str], call: Call) -> dict[str, bytes]:
    """Return the file of each URL, some fetched at once."""
    settings = call.settings
    fetcher = ImageFetcher(
        split(settings.image_hosts),
        max_bytes=settings.max_image_bytes,
        max_total=settings.max_fetched_bytes,
        seconds=settings.image_seconds,
        hold=call.hold_fetched,
        places=call.fetches,
    )
    files: dict[str, bytes] = {}

    # With all places of the others, one request of many slow images would keep them waiting.
    own = anyio.CapacityLimiter(FETCHES_OF_REQUEST)

    async def one(url: str) -> None:
        async with own:
            try:
                files[url] = await fetcher.fetch(url)
            except (ImageHostError, ImageSourceError) as error:
                error.text = url
                raise

    try:
        async with anyio.create_task_group() as group:
            for url in urls:
                group.start_soon(one, url)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return files


def _read(url: str, fetched: bytes | None, name: str, limits: ImageLimits) -> Image:
    try:
        if fetched is None:
            return image_of_data_url(url, name, limits)
        return read_image(fetched, name, limits)
    except ImageError as error:
        raise _error(str(error), url) from error


def _error(message: str, url: str) -> ImageError:
    error = ImageError(message)
    error.text = url
    return error
