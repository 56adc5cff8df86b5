"""Zero-shot benchmarks of similarity, over the library and never the service.

The package shares its name with a builtin: import from its modules, `from eval.run import …`.
"""
