"""The robustness harness: real writers and watchers against real registries through faults."""
