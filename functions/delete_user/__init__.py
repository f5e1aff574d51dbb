"""DELETE /v1/users/{user_id}: have a person forgotten."""
