"""What a study survives: faults are injected into it, and its results compared."""
