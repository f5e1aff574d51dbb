"""Constructs own resources; stacks compose them."""
