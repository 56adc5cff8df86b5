"""The comparison of pairs as others' evaluation packages want a model, one package a file.

What gives vectors goes beside these as a class of its own: there a cosine is what it seems.
"""
