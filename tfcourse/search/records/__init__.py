"""Records of finished trials and of what they took."""
