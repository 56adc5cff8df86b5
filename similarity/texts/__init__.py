"""What is known of texts before they are compared: too long, unfamiliar, or general."""
