"""What all requests share."""

from dataclasses import dataclass, field

from service.engine.cache import Cache
from service.engine.metrics import Metrics
from service.engine.scheduler import Scheduler
from service.engine.waits import Crowd
from similarity.models.base import LanguageModel
from similarity.vectors.meaning import MeaningVectors


@dataclass
class SharedModel:
    """The model, the scheduler of its calls, the cache of its answers, its vectors if any."""

    model: LanguageModel
    scheduler: Scheduler
    cache: Cache
    metrics: Metrics
    vectors: MeaningVectors | None = None
    crowd: Crowd = field(default_factory=Crowd)
