"""SQS -> people forgotten everywhere, or what is held about them gathered."""
