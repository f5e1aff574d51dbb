"""PUT /v1/users/{user_id}/consent: take down what a user agrees to."""
