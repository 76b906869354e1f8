"""What evaluating takes beside predicting alone."""
