"""Cross-validation: one DVC experiment for each fold of the images, and what their figures come to."""
