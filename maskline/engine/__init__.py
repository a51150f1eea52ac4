"""How work is shared out over the machine."""
