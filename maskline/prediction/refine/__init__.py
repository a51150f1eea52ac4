"""Refinement of predictions: moving the borders between classes to edges in the image."""
