"""The statistics of experiments, from what each user saw and did to a verdict."""
