"""How work is divided over the cores of a machine, or over the nodes of a cluster."""
