"""What a score depends on, in one value: model and revision, every setting, version."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from similarity.calibration import Calibration, Scale
from similarity.config import Settings
from similarity.digests import digest
from similarity.models.base import ModelInfo
from similarity.models.revision import identity
from similarity.version import __version__

S_co = TypeVar("S_co", bound=Settings, covariant=True)


# In which rounding moves a distance by less than 1e-5 (measured in docs/log.md).
WHOLE_PRECISION = ("float32", "float64")
# In which it is moved by what is read in the same call.
HALF_PRECISION = ("float16", "bfloat16")


@dataclass(frozen=True, repr=False)
class Fingerprint(Generic[S_co]):
    """Two results with equal fingerprints are comparable, and repeatable."""

    model: ModelInfo
    config: S_co
    calibration: Calibration | None = None

    @property
    def calibrated(self) -> bool:
        """Return whether similarities are on a scale that was fitted; `scale` says to what."""
        return self.calibration is not None

    @property
    def scale(self) -> Scale:
        """Return what similarities of 0 and 1 mean, by a name of `similarity.calibration`."""
        return "none" if self.calibration is None else self.calibration.scale

    @property
    def repeatable(self) -> bool:
        """Return whether distances agree within 1e-5, whatever else is read beside the texts.

        In half precision a sum of other shape is rounded to other numbers.
        """
        return self.model.dtype in WHOLE_PRECISION

    @cached_property
    def content(self) -> dict[str, Any]:
        """Return all that the digest is taken of, as plain values."""
        return {
            "version": __version__,
            "model": identity(self.model),
            "settings": self.config.to_dict(),
            "calibration": self.calibration.digest if self.calibration else "default",
        }

    @cached_property
    def digest(self) -> str:
        """Return the first 16 hexadecimal digits of the SHA-256 of the content."""
        canonical = json.dumps(self.content, sort_keys=True, ensure_ascii=False)
        return digest(canonical.encode())

    def describe(self) -> str:
        """Return the model, the settings that matter most and the digest, for a person."""
        return f"model {self.model.name}, {self.config.describe()}; fingerprint {self.digest}"

    def __repr__(self) -> str:
        """Return what a person needs: all settings would fill a screen beside each score."""
        return f"<{self.describe()}>"

    def to_dict(self) -> dict[str, Any]:
        """Return the digest as "id", and the content."""
        return {"id": self.digest, **self.content}
