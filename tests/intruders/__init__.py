"""Who tries to get in, or to pass for somebody else: a table of attacks, and where each one stops."""
