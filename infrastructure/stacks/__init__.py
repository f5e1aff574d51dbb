"""Stacks compose constructs and say who may do what."""
