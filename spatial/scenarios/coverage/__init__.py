"""Astrocyte coverage 0-100 %: how much of the synapse's perimeter a process covers, and what its neighbours hear."""
