"""Requests and answers as they stand in openapi.yaml, one file for each dialect."""
