"""What every sink promises the pipeline."""
