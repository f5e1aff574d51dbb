"""GET /v1/users/{user_id}: what is held about a person."""
