"""Makes the embedded language model from open text: prepare, train, evaluate, export."""
