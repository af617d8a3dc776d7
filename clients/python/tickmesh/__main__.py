"""`python -m tickmesh` is the `tickmesh` command."""

from tickmesh._cli import main

main()
