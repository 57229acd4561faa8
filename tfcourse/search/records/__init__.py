"""Records of finished trials."""
