"""The one door to keras-tuner: its oracle, its tuner, its hyperparameters and its gRPC service."""
