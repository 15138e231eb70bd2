"""Movies made: one file per kind, each a pure function of its options and a seed. Luminance is 0 black to 1 white."""
