"""Reader processes: which samples, who makes them, where they lie in memory and where their time goes."""
