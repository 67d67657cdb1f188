"""The default scenario: one synapse is paired with the postsynaptic cell, and the astrocyte listens."""
