"""Layers and blocks that encoders and decoders share."""
