"""What is in a folder: its layout, its pairs, the coding of its masks, and what to look at before training."""
