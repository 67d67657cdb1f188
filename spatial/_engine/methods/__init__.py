"""Methods for one step in time."""
