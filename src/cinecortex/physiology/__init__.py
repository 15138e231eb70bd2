"""In-silico physiology: what an experimenter would measure on the neurons of an encoder."""
