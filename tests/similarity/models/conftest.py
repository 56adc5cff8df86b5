"""The scripted servers' fixtures."""

from tests.similarity.models.fake_server import load

__all__ = ["load"]
