"""What stages hand each other: a typed record for every file that one stage writes and another reads.

Nothing here imports TensorFlow. Each file states the record and its path in a run's folder.
"""
