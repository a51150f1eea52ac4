"""Download: a TFDS builder for each source, and the encoder's initial weights."""
