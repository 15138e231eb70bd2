"""Any set of methods on the same trials: one table, with paired intervals and what each cost."""
