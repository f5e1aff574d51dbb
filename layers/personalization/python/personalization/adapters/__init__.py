"""Ports on AWS, and in memory. The only modules that import boto3."""
