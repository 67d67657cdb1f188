"""A model as arrays: the layout of the state, its rate of change, its Jacobian, its events."""
