"""The TFRecord shards: writing them with an audit, and reading batches from them."""
