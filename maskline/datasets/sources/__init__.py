"""Sources: where images and masks come from, a file each."""
