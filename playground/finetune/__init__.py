"""From a trained run to a task: labelled text, methods, training, what came of it and what it cost."""
