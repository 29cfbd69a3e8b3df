"""What the measuring scripts share: a farm of processes, a program in a pty, and plain statistics."""
