"""Puts texts of one meaning together: clusters, duplicates, and answers that agree."""
