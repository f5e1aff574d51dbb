"""Hostile input against the real handlers: what may be sent, the attack, and the books it must not upset."""
