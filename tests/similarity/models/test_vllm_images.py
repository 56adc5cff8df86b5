"""Images on a server: what is sent, what is read, and what is refused."""

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest

from similarity import ComparisonConfig, Law, compare
from similarity.errors import InputError, UnsupportedError, WrongAnswerError
from similarity.images.image import Image
from similarity.images.sources import data_url, image_of_pixels
from similarity.models.base import Ability, SampleRequest, ScoreRequest
from similarity.models.prefix import ImageTokens
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.loader import Servers
from similarity.models.vllm_server.model import ServerModel
from tests.similarity.images.made import picture
from tests.similarity.models.fake_seeing_server import IMAGE_ID, PLACES, SeeingServer
from tests.similarity.models.fake_server import QUICK, Answer, FakeServer, Load, transport

TOY = ToyModel()
LAW = Law()


def image(seed: int = 0) -> Image:
    return image_of_pixels(np.asarray(picture(12, 9, seed=seed)), f"image {seed}")


def scored(model: ServerModel, *prefixes: ImageTokens) -> list[list[float]]:
    asked = [ScoreRequest(prefix=prefix, continuations=((5, 6, 7), (8,))) for prefix in prefixes]
    return [[float(one.sum()) for one in of_prefix] for of_prefix in model.score(asked, LAW)]


def test_an_image_is_sent_as_one_token_and_its_pixels(load: Load) -> None:
    server = SeeingServer()
    model = load(server=server)
    assert Ability.IMAGES in model.abilities
    prefix = model.encode_image(image(), "See ", " here")
    assert tuple(prefix) == (*TOY.encode("See "), *[IMAGE_ID] * PLACES, *TOY.encode(" here"))
    assert prefix.parts == ("See ", image(), " here")
    server.generated.clear()
    assert scored(model, prefix)
    sent = [*TOY.encode("See "), IMAGE_ID, *TOY.encode(" here")]
    assert [body["token_ids"] for body in server.generated] == [[*sent, 5, 6, 7], [*sent, 8]]
    urls = {part["url"] for body in server.generated for part in body["content_parts"]}
    assert urls == {data_url(image())}


@pytest.mark.longer
def test_ids_are_kept_without_the_images(load: Load) -> None:
    model = load(server=SeeingServer())
    seen = image(3)
    gone = weakref.ref(seen)
    ids = tuple(model.encode_image(seen, "See ", ""))
    del seen
    # The files that are sent are kept of a few.
    for seed in range(4, 9):
        model.encode_image(image(seed), "See ", "")
    gc.collect()
    assert gone() is None
    assert tuple(model.encode_image(image(3), "See ", "")) == ids


def test_scores_are_of_the_image_and_of_the_texts(load: Load) -> None:
    server = SeeingServer()
    model = load(server=server)
    prefixes = [model.encode_image(image(seed), "a ", " b") for seed in (0, 1, 0)]
    first, other, again = scored(model, *prefixes)
    assert first == again
    assert first != other
    text = ScoreRequest(prefix=TOY.encode("a red car"), continuations=((5, 6, 7),))
    after = ScoreRequest(prefix=prefixes[0], continuations=((5, 6, 7), (5, 6, 7), (8,)))
    counted: list[int] = []
    both = model.score([text, after, text], LAW, counted.append)
    np.testing.assert_allclose(both[0], TOY.score([text], LAW)[0], atol=1e-6)
    assert [float(one.sum()) for one in both[1]] == [first[0], first[0], first[1]]
    np.testing.assert_array_equal(both[0], both[2])
    assert sum(counted) == 3


def test_samples_and_chosen_and_listed_tokens(load: Load) -> None:
    server = SeeingServer()
    model = load(server=server)
    assert model.identity.image_chosen == server.max_logprobs - 1
    prefix = model.encode_image(image(), "", "")
    (sampled,) = model.sample([SampleRequest(prefix=prefix, n=5, max_tokens=4, key=3)], LAW)
    assert len(sampled) == 5
    assert all(one.log_probs is None and one.text is not None for one in sampled)
    chosen = [*range(60, 0, -1), 7]
    finished: list[int] = []
    found = model.next_log_probs([prefix, TOY.encode("no")], chosen, finished.append)
    assert sum(finished) == 2
    each = model.score(
        [ScoreRequest(prefix=prefix, continuations=tuple((c,) for c in chosen))], LAW
    )
    np.testing.assert_allclose(found[0], np.concatenate(each[0]), atol=1e-5)
    np.testing.assert_allclose(
        found[1], TOY.next_log_probs([TOY.encode("no")], chosen)[0], atol=1e-5
    )
    ((top,),) = model.top_distributions(
        [ScoreRequest(prefix=prefix, continuations=((5, 6),))], LAW, 4
    )
    assert top.ids.shape == (2, 4)


def test_a_server_that_lists_more_is_asked_for_more(load: Load) -> None:
    server = SeeingServer()
    server.max_logprobs = 128
    model = load(server=server)
    assert model.identity.image_chosen == 127
    server.generated.clear()
    model.next_log_probs([model.encode_image(image(), "", "")], range(200))
    asked = [body["sampling_params"].get("logprobs") for body in server.generated]
    assert asked[1:] == [128, 200 - 127 + 1]


@pytest.mark.longer
def test_a_comparison(load: Load) -> None:
    model = load(server=SeeingServer())
    config = ComparisonConfig.build(n_trajectories=3, max_tokens=4)
    assert compare(model, image(), image(), config).distance == 0
    assert compare(model, image(), "a red car", config).distance > 0
    assert compare(model, image(), image(1), config).distance > 0


@pytest.mark.longer
def test_texts_that_spell_the_token_of_an_image(load: Load) -> None:
    model = load(server=SeeingServer())
    with pytest.raises(InputError, match="'<img>', which stands for an image"):
        model.encode_image(image(), "a <img> b", "")


def reread(answer: Answer) -> None:
    answer["prompt_token_ids"][-1] += 1


def untold(answer: Answer) -> None:
    del answer["prompt_token_ids"]


@pytest.mark.longer
@pytest.mark.parametrize(
    ("change", "said"), [(reread, "where 10 were meant"), (untold, "does not return the tokens")]
)
def test_other_tokens_than_were_meant_are_refused(
    load: Load, change: Callable[[Answer], None], said: str
) -> None:
    server = SeeingServer()
    model = load(server=server)
    prefix = model.encode_image(image(), "a ", " b")
    server.change = change
    with pytest.raises(WrongAnswerError, match=said):
        scored(model, prefix)
    with pytest.raises(WrongAnswerError):
        model.sample([SampleRequest(prefix=prefix, n=2, max_tokens=3, key=1)], LAW)
    with pytest.raises(WrongAnswerError):
        model.next_log_probs([prefix], [1])
    server.change = lambda _answer: None
    other = ImageTokens((*prefix, 3), prefix.parts)
    with pytest.raises(WrongAnswerError, match="in other tokens than before"):
        scored(model, other)


def test_chosen_tokens_of_more_than_all_probability(load: Load) -> None:
    server = SeeingServer()
    model = load(server=server)
    prefix = model.encode_image(image(), "a ", "")

    def certain(answer: Answer) -> None:
        for choice in answer["choices"]:
            for listed in choice["logprobs"]["content"][0]["top_logprobs"]:
                listed["logprob"] = 0.0

    server.change = certain
    with pytest.raises(WrongAnswerError, match="probabilities sum to 6, and 1 is the most"):
        model.next_log_probs([prefix], [1, 2, 3, 4, 5])


@pytest.mark.longer
def test_texts_beside_an_image_that_a_server_changes(load: Load) -> None:
    server = SeeingServer()
    model = load(server=server)
    server.change = lambda answer: answer["prompt_token_ids"].insert(0, 3)
    with pytest.raises(WrongAnswerError, match="change the tokens beside an image"):
        model.encode_image(image(), "a ", " b")


@pytest.mark.longer
def test_another_model_after_a_restart_is_found_out(load: Load) -> None:
    server = SeeingServer()
    model = load(server=server)
    prefix = model.encode_image(image(), "a ", " b")
    server.model = ToyModel(prior=5.0)
    with pytest.raises(WrongAnswerError, match="another model than before"):
        scored(model, prefix)


def blind(server: SeeingServer) -> None:
    server.sees = False


def looking_back(server: SeeingServer) -> None:
    server.causal = False


def closed(server: SeeingServer) -> None:
    server.scale_out = False


def unclear(server: SeeingServer) -> None:
    server.template = "user without an image"


@pytest.mark.longer
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (blind, "it sees none"),
        (looking_back, "depends on what is read later"),
        (closed, "start it with --enable-scale-out"),
        (unclear, "does not show which token stands for an image"),
    ],
)
def test_a_server_whose_images_are_not_read(
    load: Load, fault: Callable[[SeeingServer], None], said: str
) -> None:
    server = SeeingServer()
    fault(server)
    model = load(server=server)
    assert Ability.IMAGES not in model.abilities
    # Texts are read all the same.
    text = ScoreRequest(prefix=TOY.encode("a red car"), continuations=((5, 6, 7),))
    np.testing.assert_allclose(model.score([text], LAW)[0], TOY.score([text], LAW)[0], atol=1e-6)
    with pytest.raises(UnsupportedError, match="reads texts alone"):
        model.encode_image(image(), "", "")
    assert said in found_of(server)


def found_of(server: FakeServer) -> str:
    """Return what the check of images says."""
    servers = Servers("http://server:8000", QUICK, transport=transport(server=server))
    try:
        return next(check.found for _, check in servers.checks() if check.name == "images")
    finally:
        servers.close()


@pytest.mark.longer
def test_a_server_of_texts_says_so(load: Load) -> None:
    server = FakeServer()
    assert Ability.IMAGES not in load(server=server).abilities
    assert "not read" in found_of(server)
