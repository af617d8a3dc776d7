"""The parts behind the policies that reproduce Confluent's rules."""
