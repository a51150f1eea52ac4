"""Decoders from an encoder's features to logits, one file for each architecture."""
