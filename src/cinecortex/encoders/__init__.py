"""Forward models: from movie and behavior to the expected response of every neuron."""
