"""Using a model: sampling, and running what was exported. Nothing here needs torch."""
