"""Homeostasis: neurons that hear the K+ and the adenosine of their own firing."""
