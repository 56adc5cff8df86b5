"""The page takes pictures, in a browser: dropped or chosen, with a model that reads images."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from similarity.api import compare_matrix
from similarity.config import ComparisonConfig
from similarity.images.sources import read_image
from similarity.models.loader import load_model
from tests.service.servers import running
from tests.service.test_page import browser, url  # noqa: F401
from tests.similarity.images.made import as_file, picture
from tests.tiny_vision_models import save_tiny_vision_model

FIRST, SECOND = as_file(picture(40, 30)), as_file(picture(30, 40, seed=1), "JPEG")
DOG = "A dog runs."
SMALL = ComparisonConfig.build(n_trajectories=4, max_tokens=6)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_vision_model("llava", tmp_path_factory.mktemp("page") / "llava")


@pytest.fixture
def page(browser: Browser, seeing: Path) -> Iterator[Page]:  # noqa: F811
    with running(load_model(str(seeing))) as address:
        page = browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        expect(page.locator("#model")).to_have_text("Model: llava.")
        page.select_option("#preset", "paper")
        page.fill("#n", "4")
        page.fill("#m", "6")
        yield page
        page.close()
        assert problems == []


def choose(page: Page, *pictures: tuple[str, str, bytes]) -> None:
    files = [{"name": n, "mimeType": kind, "buffer": data} for n, kind, data in pictures]
    page.set_input_files("#file", files)  # type: ignore[arg-type]


@pytest.mark.slow
def test_pictures_and_texts_in_one_map(page: Page, seeing: Path) -> None:
    page.fill("#texts", DOG)
    choose(page, ("first.png", "image/png", FIRST), ("second.jpg", "image/jpeg", SECOND))
    expect(page.locator("#pictures li")).to_have_count(2)
    page.press("#texts", "Control+Enter")
    expect(page.locator("#map td[data-cell]")).to_have_count(9, timeout=60_000)
    shown = [DOG, read_image(FIRST, "first.png"), read_image(SECOND, "second.jpg")]
    expected = compare_matrix(load_model(str(seeing)), shown, config=SMALL).similarities
    found = page.locator("#map td").all_text_contents()
    assert found == [f"{value:.2f}" for row in expected for value in row]
    expect(page.locator("#map tbody th .thumbnail")).to_have_count(2)
    expect(page.locator("#map thead th .thumbnail")).to_have_count(2)
    sizes = page.locator("#map .thumbnail").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert sorted(sizes) == [30, 30, 40, 40]
    page.click("[data-cell='0,1']")
    expect(page.locator("#detail")).to_be_visible()
    expect(page.locator("#text-b .thumbnail")).to_have_attribute("alt", "first.png")


@pytest.mark.slow
@pytest.mark.parametrize("place", ["#texts", "h1", "body"])
def test_a_picture_that_was_dropped_anywhere_can_be_removed(page: Page, place: str) -> None:
    page.evaluate(
        """([bytes, place]) => {
          const held = new DataTransfer();
          held.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
          const given = { dataTransfer: held, cancelable: true, bubbles: true };
          for (const kind of ["dragover", "drop"]) {
            const event = new DragEvent(kind, given);
            document.querySelector(place).dispatchEvent(event);
            if (!event.defaultPrevented) throw new Error(`the browser would take the ${kind}`);
          }
        }""",
        [list(FIRST), place],
    )
    expect(page.locator("#pictures li")).to_contain_text("dropped.png")
    page.click("#pictures button")
    expect(page.locator("#pictures")).to_be_hidden()


@pytest.mark.slow
def test_a_damaged_picture_is_reported(page: Page) -> None:
    page.fill("#texts", DOG)
    choose(page, ("half.png", "image/png", FIRST[:300]))
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_have_class("wrong")
    expect(page.locator("#status")).to_contain_text("is truncated or damaged")
    assert (page.locator("#status").text_content() or "").startswith("half.png: ")


@pytest.mark.slow
def test_a_model_of_texts_says_so(browser: Browser, url: str) -> None:  # noqa: F811
    page = browser.new_page()
    page.goto(url)
    expect(page.locator("#model")).to_have_text("Model: toy.")
    page.fill("#texts", DOG)
    choose(page, ("first.png", "image/png", FIRST))
    # At once: it was said after all texts were compared.
    said = "first.png: toy reads texts alone; serve a vision-language model"
    expect(page.locator("#status")).to_have_text(said)
    expect(page.locator("#pictures li")).to_have_count(0)
    page.close()
