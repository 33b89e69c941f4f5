"""Labelled text: where it comes from, how it is split without leaks, and what simple methods make of it."""
