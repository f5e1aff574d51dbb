"""GET /v1/trending: what is trending now."""
