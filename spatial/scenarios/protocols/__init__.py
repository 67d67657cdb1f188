"""Six protocols of plasticity with an astrocyte."""
