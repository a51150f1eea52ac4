"""Runtimes: one file for each kind of model file."""
