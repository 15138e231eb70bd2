"""What ran, where, and its cache. This room knows nothing of neurons: tasks have keys, arrays and facts."""
