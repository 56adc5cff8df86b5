"""Ways to score pairs of texts, each behind the same small seam."""
