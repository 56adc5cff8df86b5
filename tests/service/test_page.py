"""The page at /, in a browser (Debian's chromium, where it is installed)."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from service.http.page import FILES, STATIC
from similarity.api import compare as compare_texts
from similarity.config import ComparisonConfig
from similarity.models.toy import ToyModel
from similarity.scorers import open_scorer
from similarity.vectors import fit, save
from tests.service.servers import running
from tests.similarity.vectors.conftest import TOY_CONFIG

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running(ToyModel()) as address:
        yield address


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    problems: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    yield page
    context.close()
    assert problems == []
    assert [address for address in asked if not address.startswith((url, "data:"))] == []


def test_the_page_asks_for_nothing_from_elsewhere_and_has_nothing_inline(client):
    for path, name in FILES.items():
        answer = client.get(path)
        assert answer.status_code == 200
        text = (STATIC / name).read_text("utf-8")
        assert answer.text == text
        assert not re.search(r"(https?:)?//[a-z0-9]", re.sub(r"^\s*//.*$", "", text, flags=re.M))
        assert not re.search(r"\son[a-z]+=|style=|innerHTML|<style", text)


def compare(page: Page, texts: list[str]) -> None:
    page.fill("#texts", "\n".join(texts))
    page.fill("#n", "4")
    page.fill("#m", "6")
    page.press("#texts", "Control+Enter")
    # Many texts take the model longer than the page takes to draw them.
    expect(page.locator("#map td[data-cell]")).to_have_count(len(texts) ** 2, timeout=60_000)
    expect(page.locator("#cancel")).to_be_hidden()


@pytest.mark.slow
def test_heat_map_and_explanation(page):
    expect(page.locator("#model")).to_have_text("Model: toy.")
    compare(page, ["a b c", "a b c.", "x y z"])
    assert page.locator("[data-cell='0,1']").text_content() == "1.00"
    page.click("[data-cell='0,2']")
    expect(page.locator("#detail")).to_be_visible()
    expect(page.locator("#text-a")).to_have_text("a b c")
    expect(page.locator("#text-b")).to_have_text("x y z")
    expect(page.locator("#tellings li")).to_have_count(8)
    expect(page.locator("#tellings li").first.locator(".bar")).to_have_count(2)


@pytest.mark.slow
def test_a_map_by_vectors_is_explained_by_continuations(browser, tmp_path):
    config = TOY_CONFIG
    save(fit(ToyModel(), [f"{i} texts of {i * i} letters" for i in range(60)], config), tmp_path)
    with running(ToyModel(), vectors=str(tmp_path)) as url:
        page = browser.new_page()
        page.goto(url)
        # Not fitted with the group that the third compares by.
        expect(page.locator("#preset option")).to_have_text(["meaning vectors", "continuations"])
        expect(page.locator("#preset")).to_have_value("best")
        compare(page, ["a b c", "x y z"])
        (score,) = open_scorer(ToyModel(), "best", vectors=str(tmp_path)).score(
            [("a b c", "x y z")]
        )
        cell = page.locator("[data-cell='0,1']")
        expect(cell).to_have_text(f"{score.similarity:.2f}")
        cell.click()
        expect(page.locator("#tellings li")).to_have_count(8)
        expect(page.locator("#numbers")).to_contain_text("By continuations")
        page.select_option("#preset", "paper")
        compare(page, ["a b c", "x y z"])
        small = ComparisonConfig.build(n_trajectories=4, max_tokens=6)
        paper = compare_texts(ToyModel(), "a b c", "x y z", small)
        expect(cell).to_have_text(f"{paper.similarity:.2f}")
        page.close()


@pytest.mark.slow
def test_everything_by_keyboard_alone(page):
    compare(page, ["one", "two", "three"])
    page.focus("[data-cell='0,1']")
    for key, cell in [("ArrowDown", "1,1"), ("ArrowRight", "1,2"), ("Home", "1,0"), ("End", "1,2")]:
        page.keyboard.press(key)
        expect(page.locator(f"[data-cell='{cell}']")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-cell='1,2']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#text-a")).to_have_text("two")


@pytest.mark.slow
def test_what_is_copied_runs(page, url):
    compare(page, ['it\'s a "quote"', "$HOME `id` \\ <b>"])
    page.click("#curl")
    expect(page.locator("#status")).to_have_text("Copied.")
    command = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert '"similarities"' in done.stdout
    page.click("#python")
    program = page.evaluate("navigator.clipboard.readText()")
    assert url in program
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("[[1.0, ")
    expect(page.locator("#map b")).to_have_count(0)


@pytest.mark.slow
def test_mistakes_are_told(page):
    page.fill("#texts", "only one")
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_contain_text("2 to 50 texts")
    page.fill("#texts", "\n".join(f"text {i}" for i in range(51)))
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_contain_text("there are 51")


@pytest.mark.slow
def test_fifty_texts(page):
    compare(page, [f"text number {i}, of some length" for i in range(50)])
    assert "dense" in (page.locator("#map").get_attribute("class") or "")


@pytest.mark.slow
def test_with_a_key_the_browser_asks_for_it(browser):
    with running(ToyModel(), api_keys="secret") as url:
        context = browser.new_context(http_credentials={"username": "", "password": "secret"})
        page = context.new_page()
        page.goto(url)
        compare(page, ["one", "two"])
        context.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_text_and_bars(browser, url, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(url)
    colors = page.evaluate(
        "() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; }"
    )
    front, back = (luminance(color) for color in colors)
    lighter, darker = max(front, back), min(front, back)
    assert (lighter + 0.05) / (darker + 0.05) > 7
    assert (back > front) is (scheme == "light")
    context.close()


def luminance(color: str) -> float:
    """Return the relative luminance of "rgb(r, g, b)", as WCAG defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
