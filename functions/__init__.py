"""The Lambda functions: one folder, one deployed function. Handlers are glue."""
