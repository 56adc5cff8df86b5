import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner

from tests.training.tiny_run import TINY
from training import checkpoint
from training.config import faster_precision
from training.evaluate import evaluate, pack_whole, read_heldout, total
from training.model import Llama, ModelConfig
from training.optim import rate_factor
from training.plot import plot
from training.tokens import load_tokenizer
from training.train import main, train


def test_a_stopped_run_goes_on_to_the_same_weights_and_log(data, run, tmp_path):
    train(data, tmp_path, TINY, checkpoint_every=2, compiled=False, stop_after=3)
    assert checkpoint.require(tmp_path)["step"] == 2
    assert len(checkpoint.read_log(tmp_path)) == 3
    train(data, tmp_path, TINY, checkpoint_every=2, compiled=False)
    whole, resumed = checkpoint.require(run), checkpoint.require(tmp_path)
    torch.testing.assert_close(resumed["model"], whole["model"])
    for one, other in zip(checkpoint.read_log(run), checkpoint.read_log(tmp_path), strict=True):
        assert (one["step"], one["tokens"]) == (other["step"], other["tokens"])
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)


def test_a_run_learns(run):
    log = checkpoint.read_log(run)
    assert log[0]["loss"] == pytest.approx(math.log(320), rel=0.02)
    assert log[-1]["loss"] < log[0]["loss"] - 0.3
    assert "heldout" in log[-1]


def test_a_torn_last_line_of_the_log_is_passed_over(run, tmp_path):
    shutil.copyfile(run / "log.jsonl", tmp_path / "log.jsonl")
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 7, "lo')
    assert checkpoint.read_log(tmp_path) == checkpoint.read_log(run)


def test_a_finished_run_is_left_as_it_is(data, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    train(data, copy, TINY, compiled=False)
    assert (copy / "checkpoint.pt").read_bytes() == (run / "checkpoint.pt").read_bytes()


def test_other_arguments_or_data_are_refused(data, run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "run")
    with pytest.raises(ValueError, match="other arguments"):
        train(data, copy, replace(TINY, seed=6), compiled=False)
    moved = shutil.copytree(data, tmp_path / "data")
    (moved / "manifest.json").write_text(json.dumps({"another": "one"}))
    with pytest.raises(ValueError, match="other data"):
        train(moved, copy, TINY, compiled=False)


def test_the_command_fails_with_one_line(data, tmp_path):
    out = str(tmp_path / "out")
    for folder, options, message in (
        (tmp_path, [], "no batches.npy in"),
        (data, ["--steps", "100000"], "steps=100000 must be 1 to"),
        (data, ["--hidden", "30"], "hidden=30"),
    ):
        result = CliRunner().invoke(main, ["--data", str(folder), "--out", out, *options])
        assert result.exit_code == 1
        assert message in result.output
        assert "Traceback" not in result.output


def test_the_rates_rise_then_fall_to_zero():
    factors = [rate_factor(step, 100) for step in range(100)]
    assert factors[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert factors[2:] == sorted(factors[2:], reverse=True)
    assert 0 < factors[-1] < 0.02


def test_held_out_scores_sum_over_texts(data):
    torch.manual_seed(0)
    model = Llama(ModelConfig(vocab=320, hidden=32, layers=1, heads=2, intermediate=48))
    tokenizer, texts = load_tokenizer(data), read_heldout(data)
    scores = evaluate(model, tokenizer, texts, 10**6)
    assert scores["notes"].tokens == sum(
        min(512, len(tokenizer.encode(text).ids)) - 1 for text in texts["notes"]
    )
    everything = total(scores)
    assert everything.perplexity == pytest.approx(320, rel=0.1)
    assert everything.bits_per_byte * everything.bytes == pytest.approx(
        everything.loss * everything.tokens / math.log(2)
    )


def test_pack_whole_cuts_nothing():
    assert pack_whole([[1, 5], [1, 6, 7], [1, 8]], 5) == [[1, 5, 1, 6, 7], [1, 8, 0, 0, 0]]


def test_the_plot_is_a_png_and_needs_a_log(run, tmp_path):
    plot(run, tmp_path / "some" / "loss.png")
    assert (tmp_path / "some" / "loss.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(FileNotFoundError, match="no steps"):
        plot(tmp_path, tmp_path / "loss.png")


@pytest.mark.longer
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_the_precision_is_that_of_the_matrix_products(data, tmp_path, monkeypatch, precision):
    seen, plain = set(), Llama.loss

    def loss(model, *arguments):
        one = torch.ones(2, 2)
        seen.add((one @ one).dtype)
        return plain(model, *arguments)

    monkeypatch.setattr(Llama, "loss", loss)
    config = replace(TINY, steps=1, precision=precision)
    train(data, tmp_path / "run", config, compiled=False)
    assert seen == {getattr(torch, precision)}
    assert faster_precision() in ("bfloat16", "float32")
