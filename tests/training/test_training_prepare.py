import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.training.tiny_run import MIX
from training.prepare import MICRO_BATCH, main, pack, prepare
from training.tokens import BOS_ID, EOS_ID, PAD_ID, train_tokenizer


def test_the_same_seed_makes_the_same_files(corpora, data, tmp_path):
    prepare(corpora, tmp_path, tokens=50_000, vocab=320, seed=3, mix=MIX)
    names = {path.name for path in data.iterdir()}
    assert names == {
        "batches.npy",
        "lengths.npy",
        "heldout.json",
        "manifest.json",
        "tokenizer.json",
    }
    for name in names:
        assert (tmp_path / name).read_bytes() == (data / name).read_bytes(), name


def test_another_seed_makes_another_order(corpora, data, tmp_path):
    prepare(corpora, tmp_path, tokens=50_000, vocab=320, seed=4, mix=MIX)
    assert (tmp_path / "batches.npy").read_bytes() != (data / "batches.npy").read_bytes()


def test_each_row_begins_with_bos_and_pads_only_its_end(data):
    batches, lengths = np.load(data / "batches.npy"), np.load(data / "lengths.npy")
    assert batches.shape == (len(lengths), MICRO_BATCH)
    for batch, length in zip(batches, lengths, strict=True):
        rows = batch.reshape(-1, length)
        assert (rows[:, 0] == BOS_ID).all()
        padded = rows == PAD_ID
        assert (padded[:, :-1] <= padded[:, 1:]).all()
        after_eos = rows[:, 1:][rows[:, :-1] == EOS_ID]
        assert set(after_eos.tolist()) <= {BOS_ID, PAD_ID}


def test_the_shares_are_kept_and_reported(data):
    manifest = json.loads((data / "manifest.json").read_text())
    tokens = {name: use["tokens"] for name, use in manifest["sources"].items()}
    assert tokens["scenes"] / tokens["notes"] == pytest.approx(2.0, rel=0.05)
    assert manifest["micro_batches"] == len(np.load(data / "batches.npy"))


def test_held_out_texts_are_not_read(data):
    tokenizer = Tokenizer.from_file(str(data / "tokenizer.json"))
    ids = np.load(data / "batches.npy").reshape(-1).tolist()
    seen = tokenizer.decode(ids, skip_special_tokens=False)
    heldout = json.loads((data / "heldout.json").read_text())
    assert set(heldout) == {"scenes", "notes"}
    for text in heldout["notes"]:
        assert text[:60] not in seen


def test_pack_cuts_what_does_not_fit_and_fills_the_row():
    rows = list(pack([[1] + [9] * 39, [1] + [8] * 39, [1] + [7] * 63], 64))
    assert rows == [[1] + [9] * 39 + [1] + [8] * 23, [1] + [7] * 63]


def test_pack_pads_a_short_rest():
    assert list(pack([[1] + [9] * 59], 64)) == [[1] + [9] * 59 + [PAD_ID] * 4]


TOKENIZER = train_tokenizer(["The dog runs. It runs home.", "So be it."], 300)


@given(st.text())
def test_any_text_comes_back_from_its_tokens(text):
    ids = TOKENIZER.encode(text).ids
    assert ids[0] == BOS_ID
    if not any(special in text for special in ("<s>", "</s>", "<pad>")):
        assert TOKENIZER.decode(ids) == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--vocab", "100"], "vocab=100 must be 259"),
        ([], "no captions_coco.txt.xz or captions_coco.txt"),
    ],
)
def test_the_command_fails_with_one_line(tmp_path, options, message):
    arguments = ["--corpora", str(tmp_path), "--out", str(tmp_path / "out"), *options]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_too_little_text_is_said(corpora, tmp_path):
    with pytest.raises(ValueError, match="too little text"):
        prepare(corpora, tmp_path, tokens=500, vocab=320, mix=MIX)
