"""The engine: requests on one shared model, without HTTP."""
