"""Encoders: from RGB images to features at several strides."""
