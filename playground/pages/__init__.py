"""The pages of the app, one file each with one ``page()``: ask, compute, draw."""
