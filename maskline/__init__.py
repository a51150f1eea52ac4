"""maskline: reproducible semantic segmentation, from images and masks to a report."""
