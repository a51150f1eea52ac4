"""Runs of the same params with several seeds: one DVC experiment each, and how much their figures vary."""
