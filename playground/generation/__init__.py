"""Trained models at work with PyTorch: what they expect next, what they write, what they fill in."""
