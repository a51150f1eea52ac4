"""How work is divided over the cores of a machine."""
