"""The comparison of pairs as others' evaluation packages want a model, one package a file.

What gives vectors is a class of its own beside these: there a cosine is what it seems.
"""
