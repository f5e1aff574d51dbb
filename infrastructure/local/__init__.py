"""Runs Attune whole on one machine: starts a local AWS, deploys the CDK app, takes both down again."""
