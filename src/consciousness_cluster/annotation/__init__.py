"""Human labels: `sheet` draws what people fill, `labels` reads it."""
