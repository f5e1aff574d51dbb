"""CTR alarm -> the model before, in service again."""
