"""The policies every call passes, on gRPC and on Flight; `chain.py` fixes their order."""
