"""Thin jobs over SageMaker's folders: read, pure steps, write. `main(argv)` returns the exit code."""
