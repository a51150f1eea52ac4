"""Prediction in one pass, or averaged over flips, scales, windows and samples of dropout."""
