"""Mesh files as others write them: read, their cells turned into sound tetrahedra, their regions named."""
