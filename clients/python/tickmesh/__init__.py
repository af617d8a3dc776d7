"""Schema-governed market data: the library every Python user of the mesh imports."""
