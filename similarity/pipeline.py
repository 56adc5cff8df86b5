"""The whole pipeline on one screen: texts → trajectories → likelihoods → distance → similarity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from similarity.arrays import FloatArray
from similarity.calibration import find_calibration, similarity_map
from similarity.config import ComparisonConfig
from similarity.distances import Distance, get_distance
from similarity.fingerprint import Fingerprint
from similarity.likelihood import Block, blocks_of_pairs, log_likelihoods
from similarity.models.base import Advance, Continuation, LanguageModel, ignore_progress
from similarity.order import entailment_margin
from similarity.results import Comparison, SimilarityMatrix, Trajectory
from similarity.trajectories import Prefix, encode_prefixes, sample_trajectories
from similarity.uncertainty import Tolerance, check_interval

# Called with a stage's name and its number of texts; returns that stage's `advance`.
Progress = Callable[[str, int], Advance]


def no_progress(_stage: str, _texts: int) -> Advance:
    """Report progress to nobody."""
    return ignore_progress


def fingerprint_of(model: LanguageModel, config: ComparisonConfig) -> Fingerprint[ComparisonConfig]:
    """Return all that comparisons by this model with these settings depend on."""
    return Fingerprint(model.info, config, find_calibration(model, config))


def compare(
    model: LanguageModel, first: str, second: str, config: ComparisonConfig | None = None
) -> Comparison:
    """Return how alike two texts are in meaning, to this model.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    return compare_pairs(model, [(first, second)], config)[0]


def compare_to_tolerance(
    model: LanguageModel,
    first: str,
    second: str,
    tolerance: Tolerance,
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
) -> Comparison:
    """Return the comparison of two texts, sampled until its interval is tight enough.

    Begins with the configuration's trajectories and doubles them, keeping those there are. The
    result is that of `compare` with as many as it took, and its fingerprint says so.

    Raises
    ------
    ConfigError
        If these settings have no interval (`similarity.uncertainty.check_interval`).
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    config = config or ComparisonConfig()
    metric = get_distance(config.distance)
    check_interval(metric, config.sampling.n_trajectories, tolerance.confidence)
    study = _study(model, [(first, second)], config, progress)
    result = study.comparison(first, second)
    while not tolerance.satisfied_by(study.n_trajectories, result.interval(tolerance.confidence)):
        n = min(2 * study.n_trajectories, tolerance.max_trajectories)
        study = study.grown(n, progress)
        result = study.comparison(first, second)
    return result


def compare_pairs(
    model: LanguageModel,
    pairs: Sequence[tuple[str, str]],
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
) -> list[Comparison]:
    """Return the comparison of each pair, in order; a text that repeats is sampled once.

    All texts are checked before anything is sampled.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    study = _study(model, pairs, config or ComparisonConfig(), progress)
    return [study.comparison(first, second) for first, second in pairs]


def score_pairs(
    model: LanguageModel,
    pairs: Sequence[tuple[str, str]],
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
) -> list[tuple[float, FloatArray]]:
    """Return the distance and the log-likelihoods of each pair, without what explains them.

    The log-likelihoods are those of `Comparison`, shape "text=2 trajectory". For bulk work: no
    trajectory is turned back into text.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    study = _study(model, pairs, config or ComparisonConfig(), progress)
    return [(study.distance(u, v), study.log_likelihoods(u, v)) for u, v in pairs]


def compare_many(
    model: LanguageModel,
    source: str,
    targets: Sequence[str],
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
) -> list[Comparison]:
    """Return the comparison of one text with each of many, in order.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    return compare_pairs(model, [(source, target) for target in targets], config, progress)


def compare_matrix(
    model: LanguageModel,
    rows: Sequence[str],
    columns: Sequence[str] | None = None,
    config: ComparisonConfig | None = None,
    progress: Progress = no_progress,
) -> SimilarityMatrix:
    """Return all comparisons of `rows` with `columns`, or of `rows` among themselves.

    Costs N + M samplings and N·M cross-scorings.

    Raises
    ------
    InputError
        If a text is empty, not valid Unicode, or too long for the model.
    """
    columns = rows if columns is None else columns
    pairs = [(row, column) for row in rows for column in columns]
    study = _study(model, pairs, config or ComparisonConfig(), progress)
    distances = np.array([study.distance(u, v) for u, v in pairs]).reshape(len(rows), len(columns))
    return SimilarityMatrix(
        rows=tuple(rows),
        columns=tuple(columns),
        distances=distances,
        similarities=np.vectorize(study.similarity, otypes=[float])(distances),
        fingerprint=study.fingerprint,
    )


@dataclass(frozen=True, kw_only=True)
class _Study:
    """Texts, what was sampled from them, and the likelihoods of that under each other."""

    model: LanguageModel
    config: ComparisonConfig
    numbers: dict[str, int]
    prefixes: Sequence[Prefix]
    trajectories: Sequence[Sequence[Continuation]]
    likelihoods: dict[Block, FloatArray]

    @property
    def n_trajectories(self) -> int:
        """How many trajectories each text has."""
        return max(map(len, self.trajectories), default=0)

    @cached_property
    def metric(self) -> Distance:
        return get_distance(self.config.distance)

    @cached_property
    def fingerprint(self) -> Fingerprint[ComparisonConfig]:
        return fingerprint_of(self.model, self.config)

    @cached_property
    def similarity(self) -> Callable[[float], float]:
        return similarity_map(self.metric.similarity, self.fingerprint.calibration)

    @cached_property
    def described(self) -> list[list[tuple[str, int, bool]]]:
        """Text, length and end of each trajectory, shape "text trajectory"."""
        return [[self._describe(c) for c in sampled] for sampled in self.trajectories]

    def distance(self, first: str, second: str) -> float:
        u, v = self._in_fixed_order(first, second)
        return self.metric(*self._rows(u, v))

    def log_likelihoods(self, first: str, second: str) -> FloatArray:
        """Return them in the order in which the texts were given, shape "text=2 trajectory"."""
        return np.stack(self._rows(self.numbers[first], self.numbers[second]))

    def comparison(self, first: str, second: str) -> Comparison:
        u, v = self.numbers[first], self.numbers[second]
        distance = self.distance(first, second)
        return Comparison(
            texts=(first, second),
            distance=distance,
            similarity=self.similarity(distance),
            entailment=self._entailment(first, second),
            log_likelihoods=self.log_likelihoods(first, second),
            trajectories=tuple(
                Trajectory(text, source, tokens, ended)
                for source, number in enumerate((u, v))
                for text, tokens, ended in self.described[number]
            ),
            fingerprint=self.fingerprint,
        )

    def grown(self, n: int, progress: Progress = no_progress) -> "_Study":
        """Return the study with n trajectories a text: those it has, and those that follow."""
        config = replace(self.config, sampling=replace(self.config.sampling, n_trajectories=n))
        sampled = sample_trajectories(
            self.model,
            self.prefixes,
            config,
            progress("sampling", len(self.prefixes)),
            start=self.n_trajectories,
        )
        scored = log_likelihoods(
            self.model,
            self.prefixes,
            sampled,
            self.likelihoods,
            config.scoring_law,
            sampling_law=config.sampling.law,
            advance=progress("scoring", len(self.prefixes)),
        )
        return replace(
            self,
            config=config,
            trajectories=[
                [*old, *new] for old, new in zip(self.trajectories, sampled, strict=True)
            ],
            likelihoods={
                block: np.concatenate([row, scored[block]])
                for block, row in self.likelihoods.items()
            },
        )

    def _entailment(self, first: str, second: str) -> float:
        u, v = self._in_fixed_order(first, second)
        margin = entailment_margin(*self._rows(u, v), self.metric)
        return margin if u == self.numbers[first] else -margin

    def _rows(self, u: int, v: int) -> tuple[FloatArray, FloatArray]:
        """Return the log-likelihoods under u and under v of the pooled trajectories."""
        under_u, under_v = (
            np.concatenate([self.likelihoods[scored, u], self.likelihoods[scored, v]])
            for scored in (u, v)
        )
        return under_u, under_v

    def _in_fixed_order(self, first: str, second: str) -> tuple[int, int]:
        """Order a pair by text, so that rounding is the same for (u, v) and (v, u)."""
        u, v = (self.numbers[text] for text in (first, second))
        return (u, v) if self.prefixes[u].text <= self.prefixes[v].text else (v, u)

    def _describe(self, sampled: Continuation) -> tuple[str, int, bool]:
        ended = sampled.token_ids[-1] in self.model.end_ids
        text = self.model.decode(sampled.token_ids) if sampled.text is None else sampled.text
        return text, len(sampled.token_ids), ended


def _study(
    model: LanguageModel,
    pairs: Sequence[tuple[str, str]],
    config: ComparisonConfig,
    progress: Progress,
) -> _Study:
    model.check_scoring(config.scoring_law)
    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    encoded = encode_prefixes(model, texts, config.prompt, config.sampling.max_tokens)
    # Texts that only a full stop or white space tells apart have one prefix, sampled once.
    prefixes = list(dict.fromkeys(encoded))
    position = {prefix: i for i, prefix in enumerate(prefixes)}
    numbers = {text: position[prefix] for text, prefix in zip(texts, encoded, strict=True)}
    blocks = blocks_of_pairs((numbers[u], numbers[v]) for u, v in pairs)
    nothing_yet = _Study(
        model=model,
        config=config,
        numbers=numbers,
        prefixes=prefixes,
        trajectories=[[] for _ in prefixes],
        likelihoods=dict.fromkeys(blocks, np.empty(0)),
    )
    return nothing_yet.grown(config.sampling.n_trajectories, progress)
