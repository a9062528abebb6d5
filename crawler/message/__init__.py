"""What requests and responses are made of: parts, checked and encoded; replies."""
