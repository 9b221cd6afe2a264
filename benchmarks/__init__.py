"""Speed, as ratios to a floor taken in one run; never a test."""
