"""Prediction, confusion matrices, the metrics derived from them, and sample pictures."""
