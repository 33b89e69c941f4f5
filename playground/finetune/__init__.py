"""From a trained run to a task: plans and comparisons, predictions and what moved them, models from elsewhere."""
