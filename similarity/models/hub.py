"""Finds at which commit a hub's model is loaded: its present one, or the last in the cache."""

import logging
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
from huggingface_hub.file_download import repo_folder_name

from similarity.connections import header_key
from similarity.models.failures import not_found

logger = logging.getLogger(__name__)

# Seconds to wait until the hub answers which commit a model is at.
HUB_TIMEOUT = 10.0


def on_hub(source: str, revision: str | None = None) -> dict[str, Any]:
    """Return how to load a hub's model: at its present commit, or from the cache alone.

    Parameters
    ----------
    revision
        A branch, tag or commit; None is the main branch.

    Raises
    ------
    ModelNotFoundError
        If the hub has no such model.
    ConfigError
        If a header cannot carry the user's token.
    """
    # Else it would be taken for a hub that cannot be reached, with the token in the log.
    header_key("the hub's token, of HF_TOKEN or of a login,", huggingface_hub.get_token() or "")
    try:
        found = huggingface_hub.model_info(source, revision=revision, timeout=HUB_TIMEOUT)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise not_found(source, error) from error
    except Exception as error:  # of whichever HTTP library the hub's client is built on
        logger.info("the hub cannot be reached (%s): the model is taken from its cache", error)
    else:
        return {"revision": found.sha}
    # What was loaded by its commit is known by no branch.
    cached = [path for path in _snapshots(source).glob("*") if path.is_dir()]
    newest = max(cached, key=lambda path: path.stat().st_mtime, default=None)
    chosen = revision or (newest.name if newest else None)
    return {"local_files_only": True, **({"revision": chosen} if chosen else {})}


def snapshot(source: str, commit: str) -> Path:
    """Return the folder in the cache that has a model at a commit."""
    return _snapshots(source) / commit


def _snapshots(source: str) -> Path:
    cache = Path(huggingface_hub.constants.HF_HUB_CACHE)
    return cache / repo_folder_name(repo_id=source, repo_type="model") / "snapshots"
