"""What a training costs, survives and reaches; see ``python -m benchmarks.training --help``."""
