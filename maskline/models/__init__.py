"""Encoders, shared blocks, one file per architecture, and the registry."""
