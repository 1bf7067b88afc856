"""Human labels: the sheet that people fill, and what they said."""
