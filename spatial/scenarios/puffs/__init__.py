"""Puffs: IP3 receptors in clusters on the ER of a process open and close at random, and an indicator sees it."""
