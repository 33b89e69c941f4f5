"""Run folders: the one source of truth about what was, is being and will be trained."""
