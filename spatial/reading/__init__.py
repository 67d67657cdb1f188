"""What a model that can be run hardly means: read once before a run, and said in a sentence each."""
