"""Preprocess: the audit, conversion and sharding of source examples."""
