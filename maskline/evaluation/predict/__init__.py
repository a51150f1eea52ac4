"""Predictions: once, or averaged over flips, scales, windows and samples of dropout."""
