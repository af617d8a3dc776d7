"""A file that is appended to as a source: it goes on over rotations, truncations and restarts.

The file itself is what keeps the records: a position names the file by device, inode and a digest
of its first bytes, so that a range is found again wherever a rotation took it. Nothing is copied.
"""
