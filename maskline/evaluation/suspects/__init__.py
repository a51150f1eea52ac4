"""Labels to check: regions where the model is sure and the label differs, ranked."""
