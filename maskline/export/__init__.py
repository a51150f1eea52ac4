"""Export: a model as a file for another runtime, scored by the code of evaluate before it leaves."""
