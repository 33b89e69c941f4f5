"""What several tests share: made models, runs and exports, doubles of a GPU, a served app, and what is read of its pages."""
