"""Prediction of images of any size and form with a trained model, and the files that hold the result."""
