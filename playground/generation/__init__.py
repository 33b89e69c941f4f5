"""Using trained models, exported or in PyTorch: predictions of the next token, generated texts, masked words."""
