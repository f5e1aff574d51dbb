"""A custom widget of a CloudWatch dashboard: what the experiments have shown so far."""
