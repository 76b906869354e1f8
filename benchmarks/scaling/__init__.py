"""How the cost of a step grows with the size of what is computed."""
