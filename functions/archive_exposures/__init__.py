"""Exposures: log -> lake."""
