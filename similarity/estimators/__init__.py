"""Ways to estimate how far two texts are apart, the paper's and others, in one table."""
