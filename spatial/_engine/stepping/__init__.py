"""From step to step: how long a step may be, what stays positive, the resting state."""
