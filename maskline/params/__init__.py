"""The params as types, one file per section, so that a stage depends only on the sections that it reads."""
