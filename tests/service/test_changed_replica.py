"""One of two model servers comes to have another model: no answer is made of it, or kept of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.client import Client
from similarity.models.toy import ToyModel
from similarity.models.vllm_server.loader import load_server
from similarity.scorers import open_scorer
from similarity.vectors import fit, save
from tests.service.servers import running
from tests.similarity.models.fake_server import FakeServer, transport
from tests.similarity.models.test_vllm_changed import SMALL, another, moved
from tests.similarity.vectors.conftest import TOY_CONFIG

pytestmark = pytest.mark.longer

TEXTS = [f"{i} texts of {i * i} letters" for i in range(60)]
# New ones in each round, and all of them again once the server is mended.
ROUNDS = [[(f"a red car {i} {j}", f"a blue boat {i} {j}") for j in range(6)] for i in range(4)]
ALL = [pair for pairs in ROUNDS for pair in pairs]


@pytest.mark.parametrize("change", [another, moved])
def test_similarities_are_of_the_old_model(
    tmp_path: Path, change: Callable[[FakeServer], None]
) -> None:
    """With 200 they were another model's, and stayed so once that was gone."""
    servers = {name: FakeServer() for name in "ab"}
    for server in servers.values():
        server.max_model_len = 2000
    names = "http://a:8000,http://b:8000"
    model = load_server(names, SMALL, transport=transport(**servers))
    save(fit(model, TEXTS, TOY_CONFIG), tmp_path)
    truth = [one.similarity for one in open_scorer(model, vectors=str(tmp_path)).score(ALL)]
    with running(model, vectors=str(tmp_path)) as url, Client(url) as client:
        change(servers["b"])
        for pairs in ROUNDS:
            found = client.similarity(pairs)
            first = len(pairs) * ROUNDS.index(pairs)
            expected = truth[first : first + len(pairs)]
            assert [one.similarity for one in found] == pytest.approx(expected, abs=1e-5)
        assert model.changes()
        servers["b"].model, servers["b"].edit = ToyModel(), lambda _body, _answer: None
        kept = client.similarity(ALL)
        assert [one.similarity for one in kept] == pytest.approx(truth, abs=1e-5)
