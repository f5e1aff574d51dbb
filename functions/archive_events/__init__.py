"""Kinesis -> the event lake on S3."""
