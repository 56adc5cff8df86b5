"""The OpenAPI description of the default settings: `python -m service.openapi > openapi.yaml`."""

import sys

from service.app import create_app
from service.description import render
from service.settings import Settings


def main() -> None:
    """Print the description."""
    # Neither the environment nor a model has a say in what is checked in.
    sys.stdout.write(render(create_app(Settings.model_construct())))


if __name__ == "__main__":
    main()
