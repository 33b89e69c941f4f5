"""Trained models at work, exported or in PyTorch: what they expect next, what they write, what they fill in."""
