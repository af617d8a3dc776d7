"""The policies that reproduce Confluent's rules for JSON Schema."""
