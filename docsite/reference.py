"""Writes the reference pages, made of the code: commands, HTTP, Python, settings.

Run as `python -m docsite.reference`, which `make docs` does. The pages are not checked in: they
are those of the code beside them.
"""

from docsite.cli_page import cli_page
from docsite.http_page import http_page
from docsite.pages import REFERENCE
from docsite.python_page import python_page
from docsite.settings_page import settings_page


def reference_pages() -> dict[str, str]:
    """Return the text of each reference page by the name of its file."""
    return {
        "cli.md": cli_page(),
        "http.md": http_page(),
        "python.md": python_page(),
        "settings.md": settings_page(),
    }


def main() -> None:
    """Write the reference pages into docs/reference."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in reference_pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
