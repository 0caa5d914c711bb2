"""The API on this machine: written answers, vectors of texts, and a server on loopback."""
