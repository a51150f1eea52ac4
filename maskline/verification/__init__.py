"""Whether a fresh run reproduces the committed result."""
