"""The HTTP API, described once: a table of routes, and the OpenAPI document made of it."""
