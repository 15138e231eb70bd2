"""An in-silico mouse: a population of V1 under a two-photon microscope, with its truth kept beside it.

It shares no code with the encoders, so that what they recover is not what they were given.
"""
