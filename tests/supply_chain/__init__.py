"""What is shipped, under which licences, and with which known vulnerabilities: read from the lock files."""
