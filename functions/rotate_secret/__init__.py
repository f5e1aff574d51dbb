"""Lambda `rotate_secret`: gives a secret a new value, when Secrets Manager says so."""
