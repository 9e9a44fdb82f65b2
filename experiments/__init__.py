"""Recorded experiments: too long for the default roadmap, or on data that it does not have. Each states its command.

Results are committed in experiments/results.
"""
