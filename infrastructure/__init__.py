"""The CDK app, and the local AWS that it can be deployed into."""
