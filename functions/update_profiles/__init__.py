"""Kinesis -> profiles and catalogue in DynamoDB, exactly once in effect."""
