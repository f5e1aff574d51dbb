"""How far the platform goes: a model of capacity by users, held against a simulation and AWS's quotas."""
