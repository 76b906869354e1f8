"""What fine-tuning and active learning save, shown by the studies of ``config/examples``."""
