"""The parts of the tick client; `tickmesh.ticks` is what users import."""
