"""From videos to scores, and from scores to figures with confidence intervals and targets."""
