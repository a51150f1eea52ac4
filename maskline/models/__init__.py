"""Segmentation networks: encoders, decoders, the layers they share, and the catalogue of their names."""
