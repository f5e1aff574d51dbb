"""GET /v1/console: the operators' web page."""
