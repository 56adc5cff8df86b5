"""Writes the OpenAPI description: `python -m service.http.openapi openapi.yaml`.

It is of the default settings.
"""

import sys
from pathlib import Path

from service.http.app import create_app
from service.http.description import render
from service.settings import Settings


def main() -> None:
    """Write the description to the file that is named, or print it."""
    # Neither the environment nor a model has a say in what is checked in.
    text = render(create_app(Settings.model_construct()))
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
