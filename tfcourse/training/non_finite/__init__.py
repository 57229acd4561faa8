"""What happens when the loss is not finite."""
