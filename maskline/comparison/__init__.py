"""Two revisions on the same test images: the difference of each metric, and whether it is more than chance."""
