"""Vision-language models in this process: images and texts, by any architecture of transformers."""
