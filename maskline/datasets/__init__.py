"""Download: one TFDS builder per source, and the catalogue that names them."""
