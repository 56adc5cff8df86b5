"""Semantic similarity of texts from the trajectories of an autoregressive language model."""

__version__ = "0.1.0"
