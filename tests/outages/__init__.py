"""Outages of each dependency, injected on the wire between the real handlers and moto."""
