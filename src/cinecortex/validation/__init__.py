"""Is it from the brain? Trials and reconstructions in, findings out. The judge does not know the judged."""
