"""The N-th call to the disk fails, for every N: injected into the running process by strace."""
