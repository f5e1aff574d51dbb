"""GET /v1/admin/…: what the operators' console shows."""
