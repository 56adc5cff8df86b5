"""The page at /, in a browser (Debian's chromium, where it is installed)."""

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from service.http.page import FILES, STATIC
from service.http.security import Keys
from similarity.api import compare as compare_texts
from similarity.api import compare_matrix
from similarity.cli.tables import SCALE_WORDS
from similarity.cli.vector_tables import IMPLIED_COLUMNS as HEADINGS
from similarity.cli.vector_tables import PART_WORDS, times
from similarity.config import ComparisonConfig
from similarity.models.toy import ToyModel
from similarity.prompts import _BLANK
from similarity.scorers import open_scorer
from similarity.vectors import fit, save
from similarity.vectors.explain import VectorExplanation
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
        # Relative to the page, which may be below a path.
        assert not re.search(r"""["'`(]/(static|v1)\b""", text)


def compare(page: Page, texts: list[str]) -> None:
    page.fill("#texts", "\n".join(texts))
    if page.locator("#sampling").is_visible():
        page.fill("#n", "4")
        page.fill("#m", "6")
    page.press("#texts", "Control+Enter")
    # Many texts take the model longer than the page takes to draw them.
    expect(page.locator("#map td[data-cell]")).to_have_count(len(texts) ** 2, timeout=60_000)
    expect(page.locator("#cancel")).to_be_hidden()


@pytest.mark.slow
def test_heat_map_and_explanation(page):
    expect(page.locator("#model")).to_have_text("Model: toy.")
    page.select_option("#preset", "paper")
    compare(page, ["a b c", "a b c.", "x y z"])
    assert page.locator("[data-cell='0,1']").text_content() == "1.00"
    page.click("[data-cell='0,2']")
    expect(page.locator("#detail")).to_be_visible()
    expect(page.locator("#text-a")).to_have_text("a b c")
    expect(page.locator("#text-b")).to_have_text("x y z")
    expect(page.locator("#parts li")).to_have_count(8)
    expect(page.locator("#parts li").first.locator(".bar")).to_have_count(2)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["button", "escape"])
def test_what_is_cancelled_is_said_to_be_and_not_an_error(
    browser: Browser, url: str, way: str
) -> None:
    page = browser.new_page()
    page.goto(url)
    page.route("**/v1/similarity", lambda route: None)
    page.fill("#texts", "a b c\nx y z")
    page.press("#texts", "Control+Enter")
    expect(page.locator("#cancel")).to_be_visible()
    if way == "button":
        page.click("#cancel")
    else:
        page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("Cancelled.")
    expect(page.locator("#status.wrong")).to_have_count(0)
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("no answer", "The service does not answer"),
        ("half an answer", "The service does not answer"),
        ("no JSON", "The service answered 502"),
        ("null", "The service answered 502"),
        ("another program's", "What answered is not the service"),
        ("null of another program", "What answered is not the service"),
        ("a list", "What answered is not the service"),
    ],
)
def test_a_service_that_is_gone_is_said_to_be(
    browser: Browser, url: str, broken: str, said: str
) -> None:
    page = browser.new_page()
    page.goto(url)
    answers = {
        "no answer": lambda route: route.abort(),
        "half an answer": lambda route: route.fulfill(status=200, body='{"similarities": [[1'),
        "no JSON": lambda route: route.fulfill(status=502, body="<html>Bad Gateway</html>"),
        "null": lambda route: route.fulfill(status=502, body="null"),
        "another program's": lambda route: route.fulfill(status=200, body='{"status": "ok"}'),
        "null of another program": lambda route: route.fulfill(status=200, body="null"),
        "a list": lambda route: route.fulfill(status=200, body="[]"),
    }
    page.route("**/v1/similarity", answers[broken])
    page.fill("#texts", "a b c\nx y z")
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status.wrong")).to_contain_text(said)
    expect(page.locator("#status.wrong")).to_contain_text("try again")
    page.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("field", "name"),
    [("#n", "Continuations of a text"), ("#m", "Tokens of a continuation")],
)
def test_a_setting_is_named_as_on_the_page(
    browser: Browser, url: str, field: str, name: str
) -> None:
    page = browser.new_page()
    page.goto(url)
    page.select_option("#preset", "paper")
    page.fill("#texts", "a b c\nx y z")
    page.fill(field, "")  # the browser's own check of a number takes it
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status.wrong")).to_contain_text(f"{name}: Input should be")
    page.close()


class Asked:
    """The user whom the browser asks for a key: gives `key`, or cancels where it is None."""

    def __init__(self, page: Page, key: str | None) -> None:
        self.key = key
        self.times = 0
        self._session = page.context.new_cdp_session(page)
        self._session.on("Fetch.authRequired", self._answer)
        self._session.on("Fetch.requestPaused", self._pass)
        self._session.send("Fetch.enable", {"handleAuthRequests": True})

    def _answer(self, event: dict[str, str]) -> None:
        self.times += 1
        given = {"response": "ProvideCredentials", "username": "any", "password": self.key}
        answer = {"response": "CancelAuth"} if self.key is None else given
        self._send("continueWithAuth", event, authChallengeResponse=answer)

    def _pass(self, event: dict[str, str]) -> None:
        self._send("continueRequest", event)

    def _send(self, method: str, event: dict[str, str], **more: object) -> None:
        self._session.send(f"Fetch.{method}", {"requestId": event["requestId"], **more})


@pytest.mark.slow
def test_a_key_that_is_changed_is_asked_for_in_place_and_no_text_is_lost(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid, allow = [Keys(["first"])], Keys.allow
    monkeypatch.setattr(Keys, "allow", lambda _, given: allow(valid[-1], given))
    with running(ToyModel(), api_keys="first") as url:
        page = browser.new_page()
        user = Asked(page, "first")
        page.goto(url)
        compare(page, ["a b c", "x y z"])
        assert user.times == 1
        # Changed: the browser asks, and the page goes on.
        valid.append(Keys(["second"]))
        user.key = "second"
        compare(page, ["a b c", "x y z", "p q r"])
        assert user.times == 2
        # Revoked, and the user has no other.
        valid.append(Keys(["third"]))
        user.key = None
        page.press("#texts", "Control+Enter")
        said = page.locator("#status.wrong")
        expect(said).to_contain_text("try again, and give a valid one as the password")
        expect(said).not_to_contain_text("Authorization")
        user.key = "third"
        compare(page, ["a b c", "my own text"])
        page.reload()
        expect(page.locator("#texts")).to_have_value("a b c\nmy own text")
        page.close()


@pytest.mark.slow
def test_behind_a_proxy_that_strips_a_path_all_is_found(browser: Browser, url: str) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def stripped(route: Route) -> None:
        route.fulfill(response=route.fetch(url=route.request.url.replace("/below/it", "", 1)))

    page.route("**/below/it/**", stripped)
    page.goto(f"{url}/below/it/")
    expect(page.locator("#model")).to_have_text("Model: toy.")
    compare(page, ["a b c", "x y z"])
    page.click("[data-cell='0,1']")
    expect(page.locator("#detail")).to_be_visible()
    below = f"{url}/below/it/"
    assert [one for one in asked if not one.startswith((below, "data:"))] == []
    for button, copied in (("curl", f"{below}v1/similarity'"), ("python", f'"{below[:-1]}"')):
        page.click(f"#{button}")
        expect(page.locator("#status")).to_have_text("Copied.")
        assert copied in page.evaluate("navigator.clipboard.readText()")
    context.close()


@pytest.mark.slow
def test_presets_and_scales_have_the_names_of_the_command_line(page):
    options = page.locator("#preset option")
    named = [text.partition(":")[0] for text in options.all_text_contents()]
    assert named == [option.get_attribute("value") for option in options.all()]
    compare(page, ["a b c", "x y z"])
    expect(page.locator("#status")).to_contain_text(f"; {SCALE_WORDS['none']}: ")
    script = (STATIC / "page.js").read_text(encoding="utf-8")
    for name, words in SCALE_WORDS.items():
        assert re.search(rf'"?{name}"?: "{words}: ', script), name


@pytest.fixture(scope="module")
def vectors_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve the toy model with vectors; give the address and their folder."""
    folder = tmp_path_factory.mktemp("vectors")
    texts = [f"{i} texts of {i * i} letters" for i in range(60)]
    save(fit(ToyModel(), texts, TOY_CONFIG), folder)
    with running(ToyModel(), vectors=str(folder)) as address:
        yield address, str(folder)


@pytest.mark.slow
def test_a_cell_is_explained_by_what_scored_it(browser, vectors_url):
    url, folder = vectors_url
    page = browser.new_page()
    page.goto(url)
    expect(page.locator("#model")).to_have_text("Model: toy.")
    page.select_option("#preset", "best")
    expect(page.locator("#sampling")).to_be_hidden()
    compare(page, ["a b c", "x y z"])
    (score,) = open_scorer(ToyModel(), "best", vectors=folder).score([("a b c", "x y z")])
    cell = page.locator("[data-cell='0,1']")
    expect(cell).to_have_text(f"{score.similarity:.2f}")
    cell.click()
    scale = "uncalibrated: use it to rank, not as a degree"
    expect(page.locator("#numbers")).to_have_text(
        f"By the preset best: similarity {score.similarity:.4f} ({scale}), "
        f"distance {score.distance:.4f}."
    )
    (explanation,) = open_scorer(ToyModel(), "best", vectors=folder).explain(
        [("a b c", "x y z")], top=8
    )
    assert isinstance(explanation, VectorExplanation)
    rows = [[part.text_content() for part in row.locator("td").all()] for row in parts_of(page)]
    shares, weights = explanation.shares, explanation.weights
    assert rows == [
        *(
            [name, PART_WORDS[name], *numbers(weights[name], share / weights[name], share)]
            for name, share in shares.items()
        ),
        ["all", "", "", "", numbers(explanation.cosine)[-1]],
    ]
    headings = [name.replace("the first", "A").replace("the second", "B") for name in HEADINGS]
    assert sorted(page.locator(".column h3").all_text_contents(), key=str.lower) == sorted(
        name[0].upper() + name[1:] for name in headings
    )
    assert explanation.implied is not None
    implied = explanation.implied
    shown = [word for words in (implied.first, implied.both, implied.second) for word in words]
    expected = [times(value) for word in shown for value in word.beyond_usual]
    assert expected
    assert page.locator(".column .value").all_text_contents() == expected
    own = [
        f"{word.word} {numbers(word.share)[0]} {'A' * (word.counts[0] > 0)}"
        f"{'B' * (word.counts[1] > 0)}"
        for word in explanation.overlap
    ]
    assert own
    assert page.locator(".chips li").all_text_contents() == own
    page.select_option("#preset", "paper")
    expect(page.locator("#sampling")).to_be_visible()
    compare(page, ["a b c", "x y z"])
    small = ComparisonConfig.build(n_trajectories=4, max_tokens=6)
    paper = compare_texts(ToyModel(), "a b c", "x y z", small)
    expect(cell).to_have_text(f"{paper.similarity:.2f}")
    cell.click()
    expect(page.locator("#numbers")).to_contain_text(
        f"By the preset paper: similarity {paper.similarity:.4f}"
    )
    expect(page.locator("#numbers")).to_contain_text(f"{paper.distance:.4f} nats per token.")
    page.select_option("#distance", "cosine")
    compare(page, ["a b c", "x y z"])
    cell.click()
    expect(page.locator("#numbers")).to_have_text(re.compile(r"distance \d\.\d{4}\.$"))
    page.close()


def parts_of(page: Page) -> list[Locator]:
    return page.locator("table.parts tbody tr").all()


def numbers(*values: float) -> list[str]:
    """Return numbers as the page writes them: the last, a share, has its sign."""
    *others, share = values
    return [*(f"{value:.4f}" for value in others), f"{share:+.4f}".replace("-", "−")]


@pytest.mark.slow
def test_a_map_in_blocks_is_the_map_at_once(page):
    texts = [f"text {i} of {i * i}" for i in range(24)]
    page.select_option("#preset", "paper")
    compare(page, texts)
    small = ComparisonConfig.build(n_trajectories=4, max_tokens=6)
    expected = compare_matrix(ToyModel(), texts, config=small).similarities
    found = page.locator("#map td").all_text_contents()
    assert found == [f"{value:.2f}" for row in expected for value in row]


@pytest.mark.slow
def test_colours_mean_the_same_on_every_map(page):
    compare(page, ["a b c", "x y z"])
    cell = page.locator("[data-cell='0,1']")
    share = cell.evaluate("cell => cell.style.getPropertyValue('--share')")
    assert float(share) == pytest.approx(float(cell.text_content() or ""), abs=0.01)


@pytest.mark.slow
def test_like_texts_are_put_together(page):
    compare(page, ["a b c", "x y z", "a b c.", "x y z."])
    page.select_option("#order", "alike")
    rows = page.locator("#map tbody th").all_text_contents()
    places = [int(row.split(".")[0]) for row in rows]
    assert {frozenset(places[:2]), frozenset(places[2:])} == {frozenset({1, 3}), frozenset({2, 4})}
    page.focus("#map tbody tr:first-child td:nth-child(2)")
    page.keyboard.press("End")
    expect(page.locator("#map tbody tr:first-child td:last-child")).to_be_focused()


@pytest.mark.slow
def test_the_map_is_downloaded_with_all_digits(page):
    page.select_option("#preset", "paper")
    compare(page, ['a "b", c', "x y z"])
    with page.expect_download() as event:
        page.click("#download")
    rows = list(csv.reader(event.value.path().read_text("utf-8").splitlines()))
    assert rows[0] == ["", 'a "b", c', "x y z"]
    small = ComparisonConfig.build(n_trajectories=4, max_tokens=6)
    exact = compare_texts(ToyModel(), 'a "b", c', "x y z", small).similarity
    assert float(rows[1][2]) == pytest.approx(exact, abs=1e-12)


@pytest.mark.slow
def test_an_error_takes_the_old_result_away(browser, url):
    page = browser.new_page()
    page.goto(url)
    compare(page, ["one", "two"])
    page.fill("#texts", "one\n" + "x" * 30_000)
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_have_class("wrong")
    expect(page.locator("#result")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text(
        f"30000 characters in the text that begins '{'x' * 40}'; at most 20000"
    )
    page.close()


@pytest.mark.slow
def test_on_a_phone_all_columns_are_reached(browser, url):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(url)
    compare(page, [f"text number {i}, of some length" for i in range(12)])
    last = page.locator("[data-cell='0,11']")
    last.scroll_into_view_if_needed()
    box, name = last.bounding_box(), page.locator("#map tbody th").first.bounding_box()
    assert box is not None
    assert name is not None
    assert name["x"] >= 0
    assert name["x"] + name["width"] <= box["x"]
    assert box["x"] + box["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # A message names a text, which may have no space to break at.
    page.fill("#texts", "one\n" + "x" * 30_000)
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_have_class("wrong")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # The settings of trajectories have long choices.
    page.select_option("#preset", "paper")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


@pytest.mark.slow
def test_on_a_phone_an_explanation_is_no_wider_than_the_page(browser, vectors_url):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(vectors_url[0])
    expect(page.locator("#model")).to_have_text("Model: toy.")
    page.select_option("#preset", "best")
    compare(page, ["a b c", "x y z"])
    page.click("[data-cell='0,1']")
    expect(page.locator("table.parts")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()


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


def test_what_shows_nothing_is_the_same_on_the_page_and_in_the_service():
    script = (STATIC / "blank.js").read_text().replace('" +\n  "', "").replace("\\\\", "\\")
    # Each has its own way to write a character of more than 16 bits.
    script = re.sub(r"\\u\{(\w+)\}", lambda found: rf"\U{found[1]:>08}", script)
    assert f'"[^{_BLANK}]", "u"' in script


@pytest.mark.slow
def test_mistakes_are_reported(page):
    page.fill("#texts", "only one")
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_contain_text("2 to 50 texts")
    # What shows nothing is no text; the service refused it by a number that the page never shows.
    page.fill("#texts", "only one\n\u200b\n\u2060 \ufeff\n\u2800\n\U000e0041\n")
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
@pytest.mark.parametrize("keys", ["secret", None])
def test_the_address_may_have_the_key(browser, keys):
    """The browser then refuses all that a page asks for by an address relative to its own."""
    with running(ToyModel(), api_keys=keys) as url:
        page = browser.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(url.replace("://", "://any:secret@"))
        expect(page.locator("#model")).to_have_text("Model: toy.")
        assert page.evaluate("document.baseURI") == f"{url}/"
        assert page.evaluate("document.styleSheets[0].cssRules.length") > 10
        compare(page, ["one", "two"])
        page.close()
        assert problems == []


@pytest.mark.slow
def test_what_the_browser_does_not_ask_is_no_silence_of_the_service(page):
    page.evaluate("() => { window.Request = function () { throw new TypeError('no such'); }; }")
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_have_text("no such")


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


# Draws a map of similarities from 0 to 1, and gives each cell's colours as "rgb(r, g, b)".
DRAWN = """async () => {
  const { draw } = await import("/static/heatmap.js");
  const numbers = [...Array(12).keys()];
  const values = numbers.map((i) => numbers.map((j) => (12 * i + j) / 143));
  document.getElementById("result").hidden = false;
  const map = document.getElementById("map");
  draw(map, values.map(String), values, values.map((_, i) => i));
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const asRgb = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return `rgb(${[...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).join(", ")})`;
  };
  return [...map.querySelectorAll("td")].map((cell) => {
    const style = getComputedStyle(cell);
    return [asRgb(style.color), asRgb(style.backgroundColor)];
  });
}"""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_number_is_read_on_its_colour(browser, url, scheme):
    page = browser.new_page(color_scheme=scheme)
    page.goto(url)
    cells = page.evaluate(DRAWN)
    page.close()
    assert len(cells) == 144
    for colors in cells:
        darker, lighter = sorted(luminance(color) for color in colors)
        assert (lighter + 0.05) / (darker + 0.05) > 3.9, colors


@pytest.mark.slow
def test_an_error_names_the_text_by_its_number_on_the_page(browser, url):
    page = browser.new_page()
    page.goto(url)
    texts = [f"text number {i}" for i in range(20)]
    page.fill("#texts", "\n".join([*texts, "the red car " * 350, "the sea"]))
    page.press("#texts", "Control+Enter")
    expect(page.locator("#status")).to_have_class("wrong", timeout=60_000)
    status = page.locator("#status").text_content() or ""
    assert status.startswith("Text 21: the text that begins 'the red car")
    assert "shorten the text" in status
    assert "truncate" not in status
    page.close()


@pytest.mark.slow
def test_an_old_map_is_pale_while_another_is_made(page):
    compare(page, ["one", "two"])
    expect(page.locator("#result")).not_to_have_class("stale")
    held = []

    def hold(route):
        held.append(route)

    page.route("**/v1/similarity", hold)
    page.fill("#texts", "three\nfour")
    with page.expect_request("**/v1/similarity"):
        page.press("#texts", "Control+Enter")
    expect(page.locator("#result")).to_have_class("stale")
    held[0].continue_()
    expect(page.locator("#map tbody th").first).to_have_text("1. three")
    expect(page.locator("#result")).not_to_have_class("stale")


@pytest.mark.slow
def test_columns_beyond_the_edge_are_hinted_at(browser, url):
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(url)
    compare(page, [f"text number {i}" for i in range(12)])
    expect(page.locator("#scroll")).to_have_class("scroll more")
    page.locator("[data-cell='0,11']").scroll_into_view_if_needed()
    expect(page.locator("#scroll")).to_have_class("scroll")
    # Who has no keyboard hears nothing of keys.
    expect(page.locator(".keys")).to_be_hidden()
    context.close()
