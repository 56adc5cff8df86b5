"""Real servers that pool, against the model in this process."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from similarity import compare
from similarity.cli.main import main
from similarity.errors import BackendRefusedError, InputError, UnsupportedError
from similarity.models.loader import EMBEDDED_PATH
from similarity.models.local import LocalModel
from similarity.models.vllm_server.config import ServerConfig
from similarity.models.vllm_server.loader import load_server
from similarity.models.vllm_server.pooling_model import PoolingModel
from similarity.models.vllm_server.wanted import TOKENIZER_PROBES
from similarity.presets import MEANING, default_preset
from similarity.vectors import VectorConfig, fit
from similarity.vectors.config import StatesConfig, TrigramsConfig
from similarity.vectors.recipes import default_config
from tests.similarity.vectors.conftest import cosines, sentences
from tests.vllm.conftest import Start
from tests.vllm.servers import ENVIRONMENT, POOLING, PYTHON, Server

ROOT = Path(__file__).parents[2]

TEXTS = (*sentences(20, seed=1), "naïve Übermut, 北京 and 🙂", "It is.")
CONFIG = VectorConfig(groups=(StatesConfig(), TrigramsConfig(weight=0.5, width=128)))


@pytest.fixture(scope="module")
def pooling(start: Start) -> tuple[Server, Server]:
    """Return a server that pools the last token, and one that pools the mean."""
    last = start(flags=POOLING)
    mean = start(flags=(*POOLING, "--pooler-config", '{"seq_pooling_type": "MEAN"}'))
    return last.wait(), mean.wait()


@pytest.fixture(scope="module")
def model(pooling: tuple[Server, Server]) -> Iterator[PoolingModel]:
    model = load_server(pooling[0].url, ServerConfig(request_tokens=256))
    assert isinstance(model, PoolingModel)
    yield model
    model.close()


def test_states_are_those_of_the_model_in_this_process(
    model: PoolingModel, local: LocalModel
) -> None:
    # From one token to as many as fit, which no request has room for beside others.
    ids = local.encode(" ".join(sentences(80)))[:511]
    prefixes = [*map(local.encode, TEXTS), ids[:1], ids[:200], ids]
    np.testing.assert_allclose(
        model.next_states(prefixes), local.next_states(prefixes), rtol=0, atol=1e-4
    )


def test_ids_are_the_tokenizers(model: PoolingModel, local: LocalModel) -> None:
    for text in (*TEXTS, *TOKENIZER_PROBES, " ", "[INST] <b> [0]"):
        assert model.encode(text) == local.encode(text)
        assert model.encode_continuation(text) == local.encode_continuation(text)
        assert model.decode(model.encode(text)) == text
    with pytest.raises(InputError, match="spells the special token '</s>'"):
        model.encode("a </s> b")


def test_cosines_are_those_of_the_model_in_this_process(
    model: PoolingModel, local: LocalModel
) -> None:
    served = fit(model, sentences(120), CONFIG)
    here = fit(local, sentences(120), CONFIG)
    pairs = list(pairwise(TEXTS))
    np.testing.assert_allclose(cosines(served, pairs), cosines(here, pairs), atol=1e-3)
    np.testing.assert_allclose(
        cosines(served, pairs), cosines(replace(served, model=local), pairs), atol=1e-4
    )


def test_the_default_is_meaning_and_continuations_are_refused(model: PoolingModel) -> None:
    config = default_config(model)
    assert config.names == ("profile", "examples", "trigrams")
    assert default_preset(config.names) == MEANING
    with pytest.raises(UnsupportedError, match="without --runner pooling"):
        compare(model, "a", "b", preset="paper")


def test_a_mean_over_tokens_is_found_at_load(pooling: tuple[Server, Server]) -> None:
    with pytest.raises(BackendRefusedError, match="gives means over all tokens"):
        load_server(pooling[1].url)


def test_the_doctor_compares_states(pooling: tuple[Server, Server]) -> None:
    result = CliRunner().invoke(main, ["doctor", "--model", pooling[0].url])
    assert result.exit_code == 0, result.output
    assert "states differ by" in " ".join(result.output.split())


IN_ENGINE = """
import json, sys, threading
from similarity import compare
from similarity.models.vllm_offline import load_offline

if __name__ == "__main__":
    given = json.loads(sys.argv[2])
    settings = {"runner": "pooling", "convert": "embed", "enforce_eager": True}
    model = load_offline(sys.argv[1], dtype="float32", settings=settings)
    score = compare(model, *given["texts"][:2], preset="meaning")
    found = {
        "ids": [list(model.encode(text)) for text in given["texts"]],
        "states": model.next_states(list(map(tuple, given["prefixes"]))).tolist(),
        "similarity": score.similarity,
        "scale": score.fingerprint.scale,
        "findings": dict(model.findings),
    }
    model.close()
    readers = [one.name for one in threading.enumerate() if "Output" in one.name]
    print(json.dumps(found | {"readers": readers}))
"""


def test_states_of_the_engine_without_a_server(local: LocalModel, model: PoolingModel) -> None:
    assert PYTHON is not None
    ids = local.encode(" ".join(sentences(80)))[:511]
    prefixes = [*map(local.encode, TEXTS), ids[:1], ids]
    given = {"texts": TEXTS, "prefixes": prefixes}
    result = subprocess.run(
        [PYTHON, "-c", IN_ENGINE, str(EMBEDDED_PATH), json.dumps(given)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["ids"] == [list(local.encode(text)) for text in TEXTS]
    np.testing.assert_allclose(found["states"], local.next_states(prefixes), rtol=0, atol=1e-4)
    served = compare(model, *TEXTS[:2], preset="meaning")
    assert found["similarity"] == pytest.approx(served.similarity, abs=1e-4)
    assert found["scale"] == served.fingerprint.scale == "none"
    assert found["findings"]["pooled token"].startswith("the last")
    # One that is left may free a tensor while the interpreter ends, and abort the program.
    assert found["readers"] == []
