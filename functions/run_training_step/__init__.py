"""Step Functions -> one step of the training pipeline."""
