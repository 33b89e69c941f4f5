"""What happens inside a trained model: every number here is a tensor of one forward pass that can be named."""
