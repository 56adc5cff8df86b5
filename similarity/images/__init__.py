"""Images as the library takes them: safely decoded, and known by the digest of their pixels.

Knows nothing of models. Pillow is imported when the first image is read.
"""
