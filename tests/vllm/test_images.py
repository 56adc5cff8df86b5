"""Images through a real server, against the same vision-language model in this process."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from similarity import ComparisonConfig, Law, SamplingConfig, compare
from similarity.errors import InputError, WrongAnswerError
from similarity.images.image import Image
from similarity.images.sources import image_of_pixels, read_image
from similarity.models.base import Ability, LanguageModel, SampleRequest, ScoreRequest
from similarity.models.loader import LoadOptions
from similarity.models.prefix import ImageTokens
from similarity.models.vision.loader import load_vision
from similarity.models.vllm_server.loader import load_server
from similarity.models.vllm_server.model import ServerModel
from tests.conftest import ROOT
from tests.similarity.images.made import as_file, picture
from tests.tiny_vision_models import save_served_vision_model
from tests.vllm.conftest import Start
from tests.vllm.servers import ENVIRONMENT, NO_CACHE, PYTHON, VISION, VISION_ENVIRONMENT

pytestmark = pytest.mark.skipif(
    VISION is None or not VISION.is_dir(), reason="vLLM's environment has no torchvision beside it"
)
ARCHITECTURES = ("llava", "idefics3", "qwen2_vl")
LAW = Law()
TOLERANCE = 1e-4
FLAGS = (
    *NO_CACHE,
    "--enable-scale-out",
    # On a CPU vLLM dies where a prompt that is sampled with a seed is read in two parts.
    *("--max-num-batched-tokens", "16384"),
)


# As in this process: torchvision makes an image smaller in another way, by a shade or two.
# Qwen2-VL takes no such setting, and our images have sizes that it leaves alone.
PROCESSING = {"llava": {"backend": "pil"}, "idefics3": {"backend": "pil"}}
SIZES = ((56, 28), (28, 56), (28, 28), (84, 28))


@dataclass
class Both:
    """One model, on a server and in this process."""

    served: ServerModel
    local: LanguageModel
    folder: Path
    processing: dict[str, str]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def both(
    request: pytest.FixtureRequest, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("served") / "model"
    processor = save_served_vision_model(request.param, folder)
    processing = PROCESSING.get(request.param, {})
    flags = (*FLAGS, "--mm-processor-kwargs", json.dumps(processing))
    server = start(folder, flags, VISION_ENVIRONMENT)
    local = load_vision(str(folder), processor, LoadOptions(dtype="float32"))
    server.wait()
    served = load_server(server.url)
    yield Both(served, local, folder, processing)
    served.close()
    server.kill()


def images() -> list[Image]:
    return [
        image_of_pixels(np.asarray(picture(*size, seed=seed)), f"{seed}")
        for seed, size in enumerate(SIZES)
    ]


# Before and behind each.
AROUND = [("", ""), ("A picture: ", ""), ("", " shows"), ('This image : "', '" means:"')]


def prefixes(model: LanguageModel) -> list[ImageTokens]:
    return [
        model.encode_image(image, before, after)
        for image, (before, after) in zip(images(), AROUND, strict=True)
    ]


def continuations(model: LanguageModel) -> tuple[tuple[int, ...], ...]:
    texts = (" A dog runs.", " naïve Übermut, 北京 🙂", "it", " It rains in the city.")
    # Ids that no text would be split into, too.
    return (*(model.encode_continuation(text) for text in texts), (5, 5, 9, 300, 7), (400,))


def test_prefixes_are_read_as_in_this_process(both: Both) -> None:
    assert Ability.IMAGES in both.served.abilities
    assert prefixes(both.served) == prefixes(both.local)


def test_scores_after_images_are_the_local_models(both: Both) -> None:
    asked = [
        ScoreRequest(prefix=prefix, continuations=continuations(both.local))
        for prefix in (*prefixes(both.local), both.local.encode("A dog runs."))
    ]
    found = both.served.score(asked, LAW)
    expected = both.local.score(asked, LAW)
    first = found[0][0]
    for mine, theirs in zip(found, expected, strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=TOLERANCE)
    # Each image, and each place of it among texts, counts.
    assert all(np.abs(first - other[0]).max() > 10 * TOLERANCE for other in found[1:])


def test_listed_and_chosen_tokens_after_images(both: Both) -> None:
    prefix, other, *_ = prefixes(both.local)
    text = both.local.encode("A dog runs.")
    chosen = [3, 500, *range(100, 300), 3]
    found = both.served.next_log_probs([prefix, text, other], chosen)
    expected = both.local.next_log_probs([prefix, text, other], chosen)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    asked = [ScoreRequest(prefix=prefix, continuations=continuations(both.local))]
    for mine, theirs in zip(
        both.served.top_distributions(asked, LAW, 5)[0],
        both.local.top_distributions(asked, LAW, 5)[0],
        strict=True,
    ):
        np.testing.assert_allclose(mine.log_probs, theirs.log_probs, atol=TOLERANCE)


def test_samples_after_images_follow_the_model(both: Both) -> None:
    prefix, other, *_ = prefixes(both.local)
    asked = [SampleRequest(prefix=one, n=64, max_tokens=6, key=7) for one in (prefix, other)]
    found = both.served.sample(asked, LAW)
    again = both.served.sample(asked[1:], LAW)
    assert [one.token_ids for one in again[0]] == [one.token_ids for one in found[1]]
    for request, sampled in zip(asked, found, strict=True):
        assert len({one.token_ids for one in sampled}) > 32
        assert all(1 <= len(one.token_ids) <= 6 for one in sampled)
        drawn = [(one.token_ids[0],) for one in sampled]
        likely = both.local.score(
            [ScoreRequest(prefix=request.prefix, continuations=(*drawn,))], LAW
        )
        # On average drawn tokens are likelier than tokens of which each is as likely as any.
        assert np.mean([scores[0] for scores in likely[0]]) > -np.log(both.local.vocab_size or 0)


def test_a_comparison_with_an_image(both: Both) -> None:
    image, other, *_ = images()
    config = ComparisonConfig(sampling=SamplingConfig(n_trajectories=4, max_tokens=4))
    assert compare(both.served, image, image, config).distance < 1e-6
    assert compare(both.served, image, other, config).distance > 0.01
    assert compare(both.served, image, "A dog runs.", config).distance > 0.01


def test_pixels_count_and_not_how_a_server_would_read_the_file(both: Both) -> None:
    turned = picture(56, 28)
    exif = turned.getexif()
    exif[0x0112] = 6
    image = read_image(as_file(turned, "PNG", exif=exif.tobytes()), "turned")
    plain = image_of_pixels(image.pixels(), "plain")
    asked = [
        ScoreRequest(prefix=both.served.encode_image(one, "", ""), continuations=((5, 6, 7),))
        for one in (image, plain)
    ]
    first, second = both.served.score(asked, LAW)
    np.testing.assert_array_equal(first[0], second[0])


def test_a_text_with_the_token_of_an_image_is_refused(both: Both) -> None:
    token = both.served.identity.image_token
    with pytest.raises(InputError, match="which stands for an image"):
        both.served.encode_image(images()[0], f"a {token} b", "")
    with pytest.raises(InputError, match="special token"):
        both.served.encode_image(images()[0], "a </s> b", "")


def test_a_prefix_that_is_read_otherwise_is_refused(both: Both) -> None:
    (prefix, *_) = prefixes(both.local)
    changed = ImageTokens((*prefix, prefix[-1]), prefix.parts)
    with pytest.raises(WrongAnswerError, match="in other tokens than before"):
        both.served.score([ScoreRequest(prefix=changed, continuations=((5,),))], LAW)


IN_ENGINE = """
import json, sys
from similarity.images.sources import image_file
from similarity.law import Law
from similarity.models.base import SampleRequest, ScoreRequest
from similarity.models.vllm_offline import load_offline

if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    settings = {"enforce_eager": True, "mm_processor_kwargs": given["processing"]}
    model = load_offline(sys.argv[1], dtype="float32", settings=settings)
    asked = tuple(map(tuple, given["asked"]))
    prefixes = [model.encode_image(image_file(i), *around) for i, around in given["prefixes"]]
    scores = model.score([ScoreRequest(prefix=p, continuations=asked) for p in prefixes], Law())
    chosen = model.next_log_probs(prefixes, [3, 500, 7])
    drawn = model.sample([SampleRequest(prefix=prefixes[0], n=8, max_tokens=4, key=1)], Law())
    print(json.dumps({
        "abilities": sorted(model.abilities),
        "prefixes": [list(p) for p in prefixes],
        "scores": [[list(map(float, one)) for one in of_prefix] for of_prefix in scores],
        "chosen": chosen.tolist(),
        "drawn": [list(one.token_ids) for one in drawn[0]],
    }))
    model.close()
"""


def test_the_engine_without_a_server(both: Both, tmp_path: Path) -> None:
    assert PYTHON is not None
    program = tmp_path / "in_engine.py"
    program.write_text(IN_ENGINE)
    asked = continuations(both.local)
    files = []
    for image in images():
        files.append(str(tmp_path / f"{image.name}.png"))
        Path(files[-1]).write_bytes(image.data)
    given = {
        "asked": asked,
        "prefixes": list(zip(files, AROUND, strict=True)),
        "processing": both.processing,
    }
    paths = [str(ROOT), VISION_ENVIRONMENT["PYTHONPATH"]]
    result = subprocess.run(
        [PYTHON, str(program), str(both.folder), json.dumps(given)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(paths)},
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    found = json.loads(result.stdout.strip().splitlines()[-1])
    here = prefixes(both.local)
    assert Ability.IMAGES in found["abilities"]
    assert found["prefixes"] == [list(prefix) for prefix in here]
    scored = [ScoreRequest(prefix=prefix, continuations=asked) for prefix in here]
    for mine, theirs in zip(found["scores"], both.local.score(scored, LAW), strict=True):
        for one, other in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(one, other, atol=TOLERANCE)
    expected = both.local.next_log_probs(here, [3, 500, 7])
    np.testing.assert_allclose(found["chosen"], expected, atol=TOLERANCE)
    assert len({tuple(ids) for ids in found["drawn"]}) > 1
