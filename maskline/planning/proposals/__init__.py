"""Proposals: a value with its reason for each param that the data, the machine or the time decides, a file each."""
