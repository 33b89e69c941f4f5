"""The views of the Explore page: each draws one thing that happens inside a model."""
