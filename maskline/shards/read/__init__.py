"""Reading: random access to shards, and the batches made of them."""
