"""Language models behind one small interface: token ids in, ids or log-probabilities out."""
