"""Every metric, from integer counts of images; NumPy alone."""
