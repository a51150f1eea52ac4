"""Sources of images and masks, one file each."""
