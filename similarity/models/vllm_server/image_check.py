"""Finds out whether a server reads images, and which token stands for one."""

from dataclasses import replace

from similarity.arrays import LogProbs
from similarity.errors import (
    BackendRefusedError,
    InputError,
    MissingDependencyError,
    WrongAnswerError,
)
from similarity.images.image import Image
from similarity.images.sources import data_url, probe_images
from similarity.models.base import TokenIds
from similarity.models.checks import AFTER_IMAGE, FIRST_AFTER_IMAGE, Check, check_after_images
from similarity.models.gaps import Gap
from similarity.models.vllm_server import image_wire, wire
from similarity.models.vllm_server.chosen import MAX_CHOSEN
from similarity.models.vllm_server.identity import Identity, tokenize
from similarity.models.vllm_server.image_wire import ServedPrefix
from similarity.models.vllm_server.images import ServedImages
from similarity.models.vllm_server.pool import Pool
from similarity.models.vllm_server.probing import Probing
from similarity.models.vllm_server.sampled import Endings
from similarity.models.vllm_server.scoring import scores_of
from similarity.models.vllm_server.texts import ServedTexts

NAME = "images"
# The most that a server lists unless it is started with another --max-logprobs.
LISTED_BY_DEFAULT = 20


async def check_images(pool: Pool, identity: Identity) -> tuple[Identity, Check]:
    """Return the identity with the server's abilities for images, and the check of them."""
    try:
        first, second = probe_images()
        token = await _image_token(pool, identity.name, first)
        seeing = replace(identity, image_token=token)
        most = await _check_seen(pool, seeing, first, second)
    except (BackendRefusedError, InputError, MissingDependencyError, WrongAnswerError) as error:
        return identity, Check(NAME, f"not read: {error}")
    found = f"read in the place of {token}, {most} chosen tokens a request after one"
    return replace(seeing, image_chosen=most), Check(NAME, found)


async def _image_token(pool: Pool, name: str, image: Image) -> str:
    """Find the token in the prompt that the server makes of a message with an image.

    Among the tokens that a message of text has not, it is the one that the server multiplies; or
    the only one.
    """
    prompt, read = await pool.request(
        image_wire.CHAT, image_wire.read_message, image_wire.message_body(name, data_url(image))
    )
    sent, strings = await tokenize(pool, name, prompt, affixes=False)
    plain = await _message_of_text(pool, name)
    named = {token: s for token, s in zip(sent, strings, strict=True) if token not in plain}
    grown = {t: s for t, s in named.items() if read.count(t) > sent.count(t)} or named
    if len(grown) != 1:
        raise WrongAnswerError(
            f"does not show which token stands for an image: one of {', '.join(named.values())}"
        )
    return next(iter(grown.values()))


async def _message_of_text(pool: Pool, name: str) -> TokenIds:
    message = {"role": "user", "content": [{"type": "text", "text": "."}]}
    body = {"model": name, "messages": [message], "return_token_strs": True}
    ids, _ = await pool.request(wire.TOKENIZE, wire.read_ids, body)
    return ids


async def _check_seen(pool: Pool, identity: Identity, first: Image, second: Image) -> int:
    """Return how many tokens one request may choose after an image.

    Raises
    ------
    WrongAnswerError
        If the model does not see images, or is not causal after them.
    """
    images = ServedImages(
        pool, identity, ServedTexts(pool, identity), Endings(identity), Probing(identity)
    )
    prefix, other = [
        await images.served(await images.encode(image, "", "")) for image in (first, second)
    ]
    whole, begun, turned = [
        await images.read_one(seen, ids, scores_of)
        for seen, ids in ((prefix, AFTER_IMAGE), (prefix, FIRST_AFTER_IMAGE), (other, AFTER_IMAGE))
    ]
    check_after_images(whole, begun, turned)
    return await _most_chosen(images, prefix, whole[:1])


async def _most_chosen(images: ServedImages, prefix: ServedPrefix, expected: LogProbs) -> int:
    """Return how many tokens a request may choose: as many as the server lists, less one."""
    first = AFTER_IMAGE[0]
    for most in (MAX_CHOSEN - 1, LISTED_BY_DEFAULT - 1):
        tokens = [first, *(token for token in range(most) if token != first)][:most]
        try:
            found = await images.chosen_once(prefix, tokens)
        except BackendRefusedError:
            continue
        if Gap.between(found[:1], expected).is_rounding:
            return most
    return 0
