"""How fast structures become batches, beside a peer, and what a million of them need."""
