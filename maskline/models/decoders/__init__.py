"""Decoders: from an encoder's features to logits, a file for each architecture."""
