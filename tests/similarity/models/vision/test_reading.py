"""What a vision-language model says after an image is what a plain forward pass says."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch

from similarity.errors import ImageError
from similarity.images.image import Image
from similarity.images.sources import read_image
from similarity.law import Law
from similarity.models.base import Ability, SampleRequest, ScoreRequest, TokenIds
from tests.similarity.images.made import as_file, picture
from tests.similarity.models.vision.conftest import Tiny

LAW = Law()
AFTER = " in one word:"
CONTINUATIONS: tuple[TokenIds, ...] = ((9, 200, 31), (77,), (5, 6, 7, 8, 99, 120), (1,))


def image(width: int, height: int, seed: int = 0) -> Image:
    return read_image(as_file(picture(width, height, seed=seed)), f"{width}x{height}.png")


SMALL, WIDE, TALL, OTHER = image(28, 28), image(90, 30), image(30, 100), image(28, 28, 1)


@torch.inference_mode()
def plainly(tiny: Tiny, seen: Image, after: str, continuation: TokenIds) -> Any:
    """Return log P(· | before) at each token, by processor and network as transformers has them."""
    inputs = tiny.processor(
        images=[seen.pixels()], text=[f"{tiny.processor.image_token}{after}"], return_tensors="pt"
    )
    length = inputs["input_ids"].shape[1]
    more = torch.tensor([list(continuation)])
    for name in list(inputs):
        if inputs[name].shape == (1, length) and name != "image_grid_thw":
            rest = torch.ones_like(more) if name == "attention_mask" else torch.zeros_like(more)
            behind = more if name == "input_ids" else rest
            inputs[name] = torch.cat([inputs[name], behind], -1)
    logits = tiny.network(**inputs).logits[0, length - 1 : -1]
    return logits.log_softmax(-1).numpy()


def scored(tiny: Tiny, *prefixes: TokenIds) -> list[list[Any]]:
    requests = [ScoreRequest(prefix=prefix, continuations=CONTINUATIONS) for prefix in prefixes]
    found: list[list[Any]] = tiny.model.score(requests, LAW)
    return found


def test_it_says_that_it_reads_images(tiny: Tiny) -> None:
    assert Ability.IMAGES in tiny.model.abilities
    tiny.model.check_images(SMALL, OTHER)


@pytest.mark.longer
def test_no_image_is_kept(tiny: Tiny) -> None:
    """The ids of 512 prefixes were kept with their images, of megabytes each."""
    seen = image(40, 40, 7)
    gone = weakref.ref(seen)
    prefix = tiny.model.encode_image(seen, "", AFTER)
    ids = tuple(prefix)
    assert scored(tiny, prefix)
    assert prefix.parts == (seen, AFTER)
    del seen, prefix
    gc.collect()
    assert gone() is None
    assert tuple(tiny.model.encode_image(image(40, 40, 7), "", AFTER)) == ids


@pytest.mark.parametrize("seen", [SMALL, WIDE, TALL], ids=lambda seen: seen.name)
def test_log_likelihoods_are_those_of_a_plain_forward_pass(tiny: Tiny, seen: Image) -> None:
    prefix = tiny.model.encode_image(seen, "", AFTER)
    (found,) = scored(tiny, prefix)
    for ids, log_probs in zip(CONTINUATIONS, found, strict=True):
        plain = plainly(tiny, seen, AFTER, ids)
        np.testing.assert_allclose(log_probs, plain[range(len(ids)), ids], rtol=0, atol=1e-4)


def test_states_are_read_from_a_copied_state_not_by_rereading(tiny: Tiny) -> None:
    scored(tiny, tiny.model.encode_image(SMALL, "", AFTER))
    assert tiny.model._images._network.caches


def test_distributions_and_states_are_those_of_a_plain_forward_pass(tiny: Tiny) -> None:
    prefix = tiny.model.encode_image(WIDE, "", AFTER)
    request = ScoreRequest(prefix=prefix, continuations=((9, 10), (12,)))
    (found,) = tiny.model.distributions([request], LAW)
    plain = plainly(tiny, WIDE, AFTER, (9, 10))
    np.testing.assert_allclose(found[0], plain, rtol=0, atol=1e-4)
    np.testing.assert_allclose(found[1], plain[:1], rtol=0, atol=1e-4)
    chosen = tiny.model.next_log_probs([prefix, tiny.model.encode("Yes.")], [3, 7])
    np.testing.assert_allclose(chosen[0], plain[0, [3, 7]], rtol=0, atol=1e-4)
    weight, bias = tiny.model.output_head()
    (state,) = tiny.model.next_states([prefix])
    logits = weight @ state + (0 if bias is None else bias)
    plain_logits = logits - np.logaddexp.reduce(logits)
    np.testing.assert_allclose(plain_logits, plain[0], rtol=0, atol=1e-4)
    assert tiny.model.hidden_states([prefix])[0].shape == (len(prefix), weight.shape[1])


def test_nothing_depends_on_what_else_is_asked_for(tiny: Tiny) -> None:
    prefixes = [tiny.model.encode_image(seen, "", AFTER) for seen in (SMALL, WIDE, TALL, OTHER)]
    prefixes.insert(2, tiny.model.encode("A dog runs."))
    alone = [scored(tiny, prefix)[0] for prefix in prefixes]
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1]):
        together = scored(tiny, *(prefixes[i] for i in order))
        for place, i in enumerate(order):
            for found, expected in zip(together[place], alone[i], strict=True):
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 if i != 2 else 1e-5)


def test_sampling_is_repeatable_and_scored_alike(tiny: Tiny) -> None:
    def request(seen: Image, start: int, n: int) -> SampleRequest:
        prefix = tiny.model.encode_image(seen, "", AFTER)
        return SampleRequest(prefix=prefix, n=n, max_tokens=6, key=11, start=start)

    whole, other = tiny.model.sample([request(WIDE, 0, 6), request(OTHER, 0, 6)], LAW)
    (some,) = tiny.model.sample([request(WIDE, 2, 2)], LAW)
    ids = [one.token_ids for one in whole]
    assert [one.token_ids for one in some] == ids[2:4]
    assert ids != [one.token_ids for one in other]
    for one in whole:
        plain = plainly(tiny, WIDE, AFTER, one.token_ids)
        expected = plain[range(len(one.token_ids)), one.token_ids]
        np.testing.assert_allclose(one.log_probs, expected, rtol=0, atol=1e-4)


def test_where_states_cannot_be_copied_all_is_read_again(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tiny.model.encode_image(WIDE, "", AFTER)
    expected = scored(tiny, prefix)
    request = SampleRequest(prefix=prefix, n=2, max_tokens=4, key=3)
    sampled = tiny.model.sample([request], LAW)
    monkeypatch.setattr(tiny.model._images._network, "caches", False)
    for found, plain in zip(scored(tiny, prefix)[0], expected[0], strict=True):
        np.testing.assert_allclose(found, plain, rtol=0, atol=1e-4)
    again = tiny.model.sample([request], LAW)
    assert [one.token_ids for one in again[0]] == [one.token_ids for one in sampled[0]]


def test_a_state_that_goes_wrong_is_given_up(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tiny.model.encode_image(TALL, "", AFTER)
    expected = scored(tiny, prefix)
    network = tiny.model._images._network
    right = network.logits_after
    monkeypatch.setattr(network, "logits_after", lambda cache, ids: right(cache, ids).flip(-1))
    monkeypatch.setattr(network, "caches", True)
    monkeypatch.setattr(tiny.model._images, "_seen", 0)
    found = scored(tiny, prefix)
    assert not network.caches
    for one, plain in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(one, plain, rtol=0, atol=1e-4)


def test_an_image_may_have_as_many_tokens_as_its_size_has_numbers(tiny: Tiny) -> None:
    seen = image(56, 28)
    prefix = tiny.model.encode_image(seen, "", "")
    if tiny.model.info.name == "qwen2_vl":
        assert len(prefix) == 3
    (found,) = scored(tiny, prefix)
    for ids, log_probs in zip(CONTINUATIONS, found, strict=True):
        plain = plainly(tiny, seen, "", ids)[np.arange(len(ids)), list(ids)]
        np.testing.assert_allclose(log_probs, plain, rtol=0, atol=1e-4)


def test_images_of_other_sizes_may_have_other_numbers_of_tokens(tiny: Tiny) -> None:
    lengths = {len(tiny.model.encode_image(seen, "", "")) for seen in (SMALL, WIDE, TALL)}
    resizing = tiny.model.info.name in ("idefics3", "qwen2_vl")
    assert (len(lengths) > 1) == resizing


def tokens_of_images(tiny: Tiny) -> set[int]:
    by_name = tiny.processor.tokenizer.convert_tokens_to_ids(tiny.processor.image_token)
    return {by_name, tiny.network.config.image_token_id}


@torch.inference_mode()
def states_then(tiny: Tiny, seen: Image, after: str, continuation: TokenIds) -> Any:
    """Return log P(· | before) at each token as transformers generates: the image is read once."""
    inputs = tiny.processor(
        images=[seen.pixels()], text=[f"{tiny.processor.image_token}{after}"], return_tensors="pt"
    )
    found = tiny.network(**inputs, use_cache=True)
    rows = [found.logits[0, -1]]
    for token in continuation[:-1]:
        cache = found.past_key_values
        found = tiny.network(input_ids=torch.tensor([[token]]), past_key_values=cache)
        rows.append(found.logits[0, -1])
    return torch.stack(rows).log_softmax(-1).numpy()


@pytest.mark.parametrize("caches", [True, False])
def test_a_token_of_an_image_in_a_continuation_is_a_token_as_any_other(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, caches: bool
) -> None:
    """It was a text too long, and lowered the context length of the model for good."""
    monkeypatch.setattr(tiny.model._images._network, "caches", caches)
    monkeypatch.setattr(tiny.model._images, "_seen", 0)
    before = tiny.model.info
    prefix = tiny.model.encode_image(SMALL, "", AFTER)
    for token in tokens_of_images(tiny):
        ids = (9, token, 31, token, token, 7)
        request = ScoreRequest(prefix=prefix, continuations=(ids, (token,), (5, 6)))
        (found,) = tiny.model.score([request], LAW)
        plain = states_then(tiny, SMALL, AFTER, ids)[range(len(ids)), ids]
        np.testing.assert_allclose(found[0], plain, rtol=0, atol=1e-4)
        (rows,) = tiny.model.distributions([request], LAW)
        np.testing.assert_allclose(rows[0][range(len(ids)), ids], plain, rtol=0, atol=1e-4)
    assert tiny.model._images._network.caches == caches
    assert tiny.model.info == before


@pytest.mark.longer
@pytest.mark.parametrize("caches", [True, False])
def test_a_token_of_an_image_may_be_sampled(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, caches: bool
) -> None:
    monkeypatch.setattr(tiny.model._images._network, "caches", caches)
    before = tiny.model.info
    prefix = tiny.model.encode_image(SMALL, "", AFTER)
    request = SampleRequest(prefix=prefix, n=100, max_tokens=20, key=3)
    (found,) = tiny.model.sample([request], LAW)
    with_it = [one for one in found if tokens_of_images(tiny) & {*one.token_ids[:-1]}]
    assert with_it
    for one in with_it[:2]:
        ids = one.token_ids
        plain = states_then(tiny, SMALL, AFTER, ids)[range(len(ids)), ids]
        np.testing.assert_allclose(one.log_probs, plain, rtol=0, atol=1e-4)
    assert tiny.model._images._network.caches == caches
    assert tiny.model.info == before


def test_an_image_that_the_network_cannot_read_is_refused_alone(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error was a text too long, and shortened what all others might send."""
    before = tiny.model.info
    processing = tiny.model._images._processing
    right = processing.tensors
    monkeypatch.setattr(
        processing,
        "tensors",
        lambda prefix: {
            name: value[..., :-1] if value.is_floating_point() else value
            for name, value in right(prefix).items()
        },
    )
    prefix = tiny.model.encode_image(SMALL, "", AFTER)
    sampled = SampleRequest(prefix=prefix, n=1, max_tokens=2, key=3)
    said = r"after image '28x28.png' the network cannot be read: .+; give another image"
    for read in (
        lambda: tiny.model.score([ScoreRequest(prefix=prefix, continuations=CONTINUATIONS)], LAW),
        lambda: tiny.model.sample([sampled], LAW),
        lambda: tiny.model.next_states([prefix]),
        lambda: tiny.model.hidden_states([prefix]),
    ):
        with pytest.raises(ImageError, match=said) as caught:
            read()
        assert caught.value.text == SMALL.name
    assert tiny.model.info == before
