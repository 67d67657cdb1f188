"""A burst beside an astrocyte process: K+ released by a synapse and the axons around it, and who takes it up."""
