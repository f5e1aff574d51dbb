"""Attune's domain: what an event, a profile, a recommendation and an experiment are.

Modules at this level are pure: no AWS, no clock, no environment. ``adapters`` talk to AWS,
``runtime`` is the only code that knows Powertools and the process it runs in.
"""
