"""The demo: the whole mesh at work on a generated trading session, checked by plain pyarrow."""
