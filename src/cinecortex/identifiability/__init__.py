"""How much of a reconstruction is in the neurons, and how much comes from the prior."""
