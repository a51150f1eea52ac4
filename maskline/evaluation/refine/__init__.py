"""Refinement: borders between classes moved to those of the image."""
