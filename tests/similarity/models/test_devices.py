import pytest
import torch

from similarity.models import devices
from similarity.models.devices import dtype_on, fastest_dtype, product_seconds

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((2.0, 1.0), "bfloat16"), ((1.2, 1.0), "float32"), ((1.0, 3.0), "float32")],
)
def test_half_precision_is_taken_where_it_was_measured_to_be_faster(
    seconds: tuple[float, float], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = dict(zip((torch.float32, torch.bfloat16), seconds, strict=True))
    monkeypatch.setattr(devices, "product_seconds", lambda _device, dtype: measured[dtype])
    assert fastest_dtype(CPU) == expected
    assert dtype_on("cpu", "fastest") == expected
    assert dtype_on("cpu", "auto") == "float32"
    assert dtype_on("cpu", "float16") == "float16"


def test_a_product_takes_time() -> None:
    assert product_seconds(CPU, torch.float32) > 0
