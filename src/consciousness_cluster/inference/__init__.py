"""The one primitive: `complete` turns requests into responses, through the store."""
