"""Many machines through Ray: texts and pairs in, Parquet partitions out.

Ray Data reads the input, a pool of workers has one model each, and a partition is there whole or
not at all. What is computed of a row is in `work`, which knows nothing of Ray.
"""
