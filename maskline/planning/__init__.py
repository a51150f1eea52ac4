"""From a folder to a project: what is in it, which params suit it, and what they will cost."""
