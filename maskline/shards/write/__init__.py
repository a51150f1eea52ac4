"""Preprocess: the audit, conversion and sharding of raw examples."""
