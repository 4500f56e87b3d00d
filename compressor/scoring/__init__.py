"""Model outputs to scores: p, the outlier score, and the metric m that mixes them."""
