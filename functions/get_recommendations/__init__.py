"""GET /v1/users/{user_id}/recommendations: answer from the user's list or the fallback ladder."""
