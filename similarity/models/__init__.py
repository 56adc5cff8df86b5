"""Language models behind one narrow seam: token ids in, token ids or log-probabilities out."""
