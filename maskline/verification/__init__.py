"""Whether the committed result comes out again."""
