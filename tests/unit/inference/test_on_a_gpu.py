"""Every engine on a double of a GPU (`gpu_double`): it writes what it writes on a CPU, and what PyTorch writes."""
