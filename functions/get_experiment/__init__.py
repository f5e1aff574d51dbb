"""GET /v1/experiments and /v1/experiments/{name}: what experiments have come to."""
