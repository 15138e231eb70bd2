"""From an observation to a movie: likelihoods, priors, the energy they make, and the methods that lower it."""
