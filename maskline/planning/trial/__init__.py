"""Trials: a few real steps of training, validation and evaluation, in a process of their own."""
