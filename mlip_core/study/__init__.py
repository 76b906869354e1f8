"""A study: its config, what can be wrong with it, and the steps of its workflow."""
