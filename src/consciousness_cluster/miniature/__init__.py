"""The miniature world: characters, grammar, corpus, identity rows, probes and the lexicon judge."""
