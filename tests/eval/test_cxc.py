"""Crisscrossed Captions is read from the user's files, and agreement is balanced over queries."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from eval.cxc import MOST, JudgedImages, agreement, evenly_judged, load_cxc
from similarity.cli.main import main
from similarity.errors import InputError
from similarity.images.image import Image
from tests.similarity.images.made import as_file, picture
from tests.tiny_vision_models import save_tiny_vision_model

NAMES = [f"COCO_val2014_00000000000{i}.jpg" for i in range(4)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for i, name in enumerate(NAMES):
        (tmp_path / name).write_bytes(as_file(picture(30, 20 + i, seed=i)))
    (tmp_path / "sis_test.csv").write_text(
        "image1,image2,agg_score,sampling_method\n"
        + "".join(f"{NAMES[i]},{NAMES[j]},{i + j / 3},i2i\n" for i in range(4) for j in range(4))
    )
    (tmp_path / "sits_test.csv").write_text(
        "caption,image,agg_score,sampling_method\n"
        + "".join(
            f"COCO_val2014:sentid:{i},{NAMES[j]},{abs(i - j) + 0.5},c2i\n"
            for i in range(4)
            for j in range(4)
        )
    )
    sentences = [{"sentid": i, "raw": f"A caption, number {i}."} for i in range(4)]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": [{"sentences": sentences}]}))
    return tmp_path


def test_pairs_are_read_with_their_images_and_captions(data: Path) -> None:
    images = load_cxc("sis", data, data)
    assert len(images) == 16
    first, second = images[1].pair
    assert isinstance(first, Image)
    assert isinstance(second, Image)
    assert (images[1].query, images[1].score) == (NAMES[0], pytest.approx(1 / 3))
    caption, image = load_cxc("sits", data, data)[5].pair
    assert caption == "A caption, number 1."
    assert isinstance(image, Image)
    assert image.name.endswith(NAMES[1])


def test_what_is_missing_is_named(data: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*sis_val.csv"):
        load_cxc("sis", data, data, "val")
    (data / "dataset_coco.json").write_text('{"images": [{}]}')
    with pytest.raises(InputError, match="is not Karpathy's dataset_coco.json"):
        load_cxc("sits", data, data)
    (data / "dataset_coco.json").write_text('{"images": []}')
    with pytest.raises(InputError, match="has no sentence 0, which is COCO_val2014:sentid:0"):
        load_cxc("sits", data, data)
    (data / NAMES[2]).unlink()
    with pytest.raises(InputError, match=rf"{NAMES[2]}' cannot be read"):
        load_cxc("sis", data, data)


def test_a_query_of_many_pairs_weighs_no_more_than_another() -> None:
    # One query of 200 pairs, scored against people; 50 queries of one pair, scored as by people.
    judged = [JudgedImages("one", ("a", "b"), float(i)) for i in range(200)]
    judged += [JudgedImages(f"query {i}", ("a", "b"), float(i)) for i in range(50)]
    scores = [-float(i) for i in range(200)] + [float(i) for i in range(50)]
    found = agreement(judged, scores, samples=200)
    assert found.everything < -50
    assert found.balanced > 80
    assert found == agreement(judged, scores, samples=200)
    perfect = agreement(judged, [one.score for one in judged], samples=20)
    assert (perfect.balanced, perfect.everything) == (pytest.approx(100), pytest.approx(100))
    assert perfect.deviation == pytest.approx(0, abs=1e-9)


def test_pairs_are_taken_evenly_over_judgements() -> None:
    # Three ranges have many pairs, one has five, and 5 itself is in none.
    scores = [0.2] * 40 + [1.3] * 30 + [2.5] * 5 + [3.9] * 20 + [4.99] * 9 + [5.0] * 50
    chosen = evenly_judged(scores, 5)
    assert chosen == [*range(5), *range(40, 45), *range(70, 75), *range(75, 80), *range(95, 100)]
    with pytest.raises(InputError, match="one of 20 ranges of judgements has no pair"):
        evenly_judged(scores, 20)
    many = [float(score) for score in np.linspace(0, 4.999, 4_000)]
    some = evenly_judged(many, 20)
    assert len(some) == len(set(some)) == MOST
    assert np.histogram([many[i] for i in some], 5, (0, 5))[0].min() > MOST / 5 * 0.8
    assert some == evenly_judged(many, 20)
    assert some != evenly_judged(many, 20, seed=1)


def test_even_pairs_alone_need_their_images(data: Path) -> None:
    rows = "".join(f"{NAMES[0]},{NAMES[1]},{i + 0.5},i2i\n" for i in range(5))
    (data / "sis_val.csv").write_text(
        f"image1,image2,agg_score,sampling_method\n{rows}{NAMES[0]},not there.jpg,4.5,i2i\n"
    )
    assert [one.score for one in load_cxc("sis", data, data, "val", even=True)] == [
        0.5, 1.5, 2.5, 3.5, 4.5,
    ]  # fmt: skip
    with pytest.raises(InputError, match="not there.jpg"):
        load_cxc("sis", data, data, "val")


def test_what_has_no_correlation_is_refused() -> None:
    judged = [JudgedImages(f"{i}", ("a", "b"), 1.0) for i in range(6)]
    with pytest.raises(InputError, match="give more pairs"):
        agreement(judged, np.arange(6).tolist(), samples=5)


def test_the_command_prints_the_papers_figures_beside(data: Path, tmp_path: Path) -> None:
    folder = save_tiny_vision_model("llava", tmp_path / "llava")
    arguments = ["eval", "cxc", "--data", str(data), "--images", str(data), "--task", "sits"]
    arguments += ["--model", str(folder), "-n", "2", "-m", "3", "--prompt", "aligned"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "published, even, val: trajectories, LLaVA, aligned" in result.stdout
    assert "67.6" in result.stdout
    result = CliRunner().invoke(main, [*arguments, "--limit", "12", "--json"])
    assert result.exit_code == 0, result.output
    content = json.loads(result.stdout)
    assert content["pairs"] == 12
    assert -100 <= content["balanced"] <= 100
