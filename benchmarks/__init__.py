"""Measurements that print figures and ratios of one run; nothing here is a test."""
