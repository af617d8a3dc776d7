"""What every source promises the pipeline."""
