"""Preprocess and reading: audit, conversion, the TFRecord shards and the batches made of them."""
