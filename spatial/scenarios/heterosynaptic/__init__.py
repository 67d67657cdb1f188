"""The heterosynaptic experiment: one synapse after the other fires, and what changes at every other is recorded."""
