"""Typed mirror of params.yaml, a file per section, so that a stage depends on the sections it reads and no other."""
