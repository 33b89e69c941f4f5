"""From a run's config to trained weights: objectives, optimizers, the loop, the worker."""
