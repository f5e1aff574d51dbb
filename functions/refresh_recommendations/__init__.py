"""SQS -> a user's lists, rebuilt from the live profile."""
