"""GET /v1/erasures/{erasure_id}: the receipt of an erasure."""
