"""Prints the table of sizes in docs/guides/deploy.md: what fits where, and pairs a second at most.

All is arithmetic on the shapes of the models (their configurations) and on data sheets of GPUs; no
figure is measured. Run as `python docker/sizes.py`.
"""

from dataclasses import dataclass

# Tokens of a pair through vLLM at n = m = 20, for texts of 15 tokens: 40 sequences are sampled,
# each reading its text and all but the last token that it writes; then every continuation is read
# after both texts, its own too, so that a text is at distance 0 of itself exactly.
SAMPLED = 2 * 20 * (15 + 19)
SCORED = 4 * 20 * (15 + 20)
BYTES = 2
GIGABYTE = 1e9


@dataclass(frozen=True)
class Model:
    """A decoder with gated feed-forward layers and grouped attention, as Llama and Qwen are."""

    name: str
    layers: int
    width: int
    inner: int
    heads: int
    groups: int
    vocabulary: int
    tied: bool = False

    @property
    def matrix_weights(self) -> float:
        """Weights that every token is multiplied with."""
        head = self.width // self.heads
        attention = 2 * self.width**2 + 2 * self.width * self.groups * head
        return self.layers * (attention + 3 * self.width * self.inner) + self.head_weights

    @property
    def head_weights(self) -> float:
        """Weights of the last layer, which another table of that size mirrors unless tied."""
        return self.width * self.vocabulary

    @property
    def gigabytes(self) -> float:
        """Memory of the weights in half precision."""
        return BYTES * (self.matrix_weights + (not self.tied) * self.head_weights) / GIGABYTE

    @property
    def cache_kilobytes(self) -> float:
        """Keys and values of one token."""
        return BYTES * 2 * self.layers * self.groups * (self.width // self.heads) / 1e3

    @property
    def flops(self) -> float:
        """Floating-point operations for a token; attention adds little to so short texts."""
        return 2 * self.matrix_weights


@dataclass(frozen=True)
class Gpu:
    """Dense half-precision operations a second, and memory, by the data sheet."""

    name: str
    teraflops: float
    gigabytes: float


MODELS = (
    Model("Llama-3.2-1B", 16, 2048, 8192, 32, 8, 128_256, tied=True),
    Model("Llama-3.1-8B", 32, 4096, 14_336, 32, 8, 128_256),
    Model("Qwen2.5-32B", 64, 5120, 27_648, 40, 8, 152_064),
    Model("Llama-3.1-70B", 80, 8192, 28_672, 64, 8, 128_256),
)
GPUS = (
    Gpu("L4", 121, 24),
    Gpu("L40S", 362, 48),
    Gpu("A100", 312, 80),
    Gpu("H100", 989, 80),
    Gpu("H200", 989, 141),
)


def cell(model: Model, gpu: Gpu) -> str:
    """Return the limit of pairs a second, on as many GPUs as hold the model."""
    gpus = 1
    # vLLM takes 0.9 of the memory; a fifth of that is left to keys, values and activations.
    while model.gigabytes > 0.9 * 0.8 * gpu.gigabytes * gpus:
        gpus *= 2
    limit = gpus * gpu.teraflops * 1e12 / (model.flops * (SAMPLED + SCORED))
    return f"{limit:.3g}" + (f" on {gpus}" if gpus > 1 else "")


def table() -> str:
    """Return the table as Markdown."""
    names = [f"{gpu.name} {gpu.gigabytes:g} GB" for gpu in GPUS]
    lines = [
        "| model | weights | cache a token | GFLOP a token | " + " | ".join(names) + " |",
        "|---|---|---|---|" + "---|" * len(GPUS),
    ]
    for model in MODELS:
        size = (
            f"{model.gigabytes:.3g} GB | {model.cache_kilobytes:.0f} kB | {model.flops / 1e9:.3g}"
        )
        cells = " | ".join(cell(model, gpu) for gpu in GPUS)
        lines.append(f"| {model.name} | {size} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
