"""Takes the pictures of the page: its heat map, and the whole page with numbers to explain it.

Run as `python -m docsite.screenshot`, with the wheel of SmolLM2 and Debian's chromium installed. It
starts the service itself.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from docsite.pages import DOCS

HEAT_MAP = DOCS / "images" / "heat-map.png"
WHOLE = DOCS / "images" / "page.png"
COLOURS = 128
TEXTS = DOCS / "samples" / "texts.txt"
# What is marked, in the order of the numbers.
MARKED = ("#texts", "#map", "[data-cell='0,1']", "#detail")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run"]
# Puts a number at the upper left corner of an element.
MARK = """([selector, number]) => {
  const box = document.querySelector(selector).getBoundingClientRect();
  const mark = document.createElement("div");
  mark.textContent = number;
  Object.assign(mark.style, {
    position: "absolute", left: `${box.left + scrollX - 13}px`, top: `${box.top + scrollY - 13}px`,
    width: "26px", height: "26px", borderRadius: "13px", background: "#b3261e", color: "white",
    font: "bold 15px/26px sans-serif", textAlign: "center", zIndex: 99,
  });
  document.body.append(mark);
}"""


@contextmanager
def service() -> Iterator[str]:
    """Serve SmolLM2 on a free port; give the address."""
    command = [sys.executable, "-m", "similarity", "serve", "--port", "0", "--model", "smollm2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = (re.search(r"ready: (http://\S+)", line) for line in process.stdout)
            yield next(match[1] for match in found if match)
        finally:
            process.terminate()


def draw(page: Page) -> None:
    """Compare the sample texts, and open one score."""
    texts = TEXTS.read_text(encoding="utf-8").splitlines()
    page.fill("#texts", "\n".join(texts))
    page.press("#texts", "Control+Enter")
    page.wait_for_selector(f"[data-cell='{len(texts) - 1},{len(texts) - 1}']", timeout=300_000)
    page.click("[data-cell='0,1']")
    page.wait_for_selector("#detail li, #detail td", timeout=300_000)
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")


def mark(page: Page) -> None:
    """Put numbers on what the pages explain."""
    for number, selector in enumerate(MARKED, 1):
        page.evaluate(MARK, [selector, str(number)])


def main() -> None:
    """Take the pictures."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    WHOLE.parent.mkdir(exist_ok=True)
    with service() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(
            viewport={"width": 1000, "height": 900}, device_scale_factor=1.5, color_scheme="light"
        )
        page.goto(url)
        draw(page)
        page.locator("#map").screenshot(path=HEAT_MAP)
        mark(page)
        page.screenshot(path=WHOLE, full_page=True)
        browser.close()
    for path in (HEAT_MAP, WHOLE):
        Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main()
