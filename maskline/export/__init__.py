"""Files and pages for others, made from a trained model."""
