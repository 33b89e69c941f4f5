"""Drawing the Fine-tune page: the form, the run that learns, what came of it, and a place to try it."""
