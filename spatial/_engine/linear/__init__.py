"""Linear solves with the Jacobian of a whole model: Krylov, multigrid, blocks."""
