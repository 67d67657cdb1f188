"""Virtual iontophoresis: what a pipette and electrodes would tell about a block of tissue that is known in full."""
